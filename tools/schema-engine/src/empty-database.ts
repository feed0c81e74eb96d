import type { Connection } from './connection/connection.ts';
import { identifier } from './identifier.ts';

const OWN_SCHEMAS = `SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'`;

/** Leaves a database with an empty schema `public` and nothing else. Only ever for a shadow database. */
export async function emptyDatabase(connection: Connection): Promise<void> {
  const { rows } = await connection.query(OWN_SCHEMAS);
  const drops = rows.map(([name]) => `DROP SCHEMA ${identifier(name ?? '')} CASCADE;`);
  await connection.script([...drops, 'CREATE SCHEMA public;'].join('\n'));
}
