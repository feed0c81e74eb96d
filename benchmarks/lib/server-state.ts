import { execute } from '@repo/postgres/database';

/** What the server has done so far. */
export interface ServerState {
  readonly checkpoints: number;
  readonly walBytes: number;
  readonly vacuums: number;
  readonly databaseBytes: number;
}

/** Reads the server's own counters. */
export async function readServer(url: string): Promise<ServerState> {
  const [row] = await execute(url, STATE);
  const of = (name: string) => Number(row?.[name]);
  return {
    checkpoints: of('checkpoints'),
    walBytes: of('wal_bytes'),
    vacuums: of('vacuums'),
    databaseBytes: of('database_bytes'),
  };
}

const STATE = `
SELECT (SELECT num_timed + num_requested FROM pg_stat_checkpointer) AS checkpoints,
       (SELECT wal_bytes FROM pg_stat_wal) AS wal_bytes,
       (SELECT sum(autovacuum_count) FROM pg_stat_user_tables) AS vacuums,
       pg_database_size(current_database()) AS database_bytes`;

/** Bytes of each table and index of a deposit, largest first. */
export async function readSizes(url: string): Promise<{ name: string; bytes: number }[]> {
  const rows = await execute(url, SIZES);
  return rows.map((row) => ({ name: String(row['name']), bytes: Number(row['bytes']) }));
}

const SIZES = `
SELECT c.relname AS name, pg_relation_size(c.oid) + coalesce(pg_relation_size(nullif(c.reltoastrelid, 0)), 0) AS bytes
  FROM pg_class c
  LEFT JOIN pg_index i ON i.indexrelid = c.oid
 WHERE coalesce(i.indrelid, c.oid) IN (
           'core.transactions'::regclass, 'services.mpesa_logs'::regclass, 'services.mpesa_callbacks'::regclass,
           'services.sms_logs'::regclass
       )
   -- An index without entries has one page.
   AND pg_relation_size(c.oid) > 8192
 ORDER BY 2 DESC`;
