import type { Client } from 'pg';
import { EVERYWHERE, KEYS } from './keys.ts';

/**
 * A table of no lane stays on the coordinator, and Citus moves its triggers to where its rows are, but not one that is also about
 * TRUNCATE: then nothing would refuse a DELETE. So such a guard becomes two.
 */
export function splitGuard(statement: string): { readonly rows: string; readonly whole: string } | null {
  const [, name, events, table, rest] = GUARD.exec(statement) ?? [];
  if (name === undefined || table === undefined || LIES_ELSEWHERE.has(table)) return null;
  return {
    rows: `CREATE TRIGGER ${name} BEFORE ${String(events)} ON ${table} ${String(rest)}`,
    whole: `CREATE TRIGGER ${wholeName(name)} BEFORE TRUNCATE ON ${table} ${String(rest)}`,
  };
}

/** What the guard against TRUNCATE is called. */
export function wholeName(guard: string): string {
  return `${guard}${WHOLE}`;
}

/** Replaces each such guard of a database, also one that a release has put in the place of two, and drops halves without the other. */
export async function splitGuards(client: Client): Promise<void> {
  const { rows } = await client.query<{ name: string; table: string; statement: string }>(GUARDS);
  const names = new Set(rows.map(({ name, table }) => `${name} on ${table}`));
  for (const { name, table } of rows) {
    if (!name.endsWith(WHOLE) || names.has(`${name.slice(0, -WHOLE.length)} on ${table}`)) continue;
    await client.query(`DROP TRIGGER ${name} ON ${table}`);
  }
  for (const { name, table, statement } of rows) {
    const guards = splitGuard(statement);
    if (guards === null) continue;
    await client.query(`DROP TRIGGER ${name} ON ${table}`);
    await client.query(`DROP TRIGGER IF EXISTS ${wholeName(name)} ON ${table}`);
    await client.query(guards.rows);
    await client.query(guards.whole);
  }
}

const WHOLE = '_whole';

const GUARD = /^CREATE TRIGGER (\w+) BEFORE (.+) OR TRUNCATE ON (\S+) ([\s\S]+)$/;

const LIES_ELSEWHERE = new Set([...KEYS.map(({ name }) => name), ...EVERYWHERE]);

const GUARDS = `
  SELECT t.tgname AS name, n.nspname || '.' || c.relname AS table, pg_get_triggerdef(t.oid) AS statement
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE NOT t.tgisinternal AND n.nspname IN ('core', 'services')
   ORDER BY 2, 1`;
