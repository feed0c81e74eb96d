import { execute } from '@repo/postgres/database';
import { readNumbers } from '../lib/facts.ts';

/** What `services.sms_logs` is like at a moment. */
export interface TableState {
  /** By the server's own count, which is an estimate. */
  readonly liveRows: number;
  readonly deadRows: number;
  readonly vacuums: number;
  /** MiB, by name: the table without its indexes, and each index. */
  readonly sizes: Readonly<Record<string, number>>;
}

/** How often a function was called since the last reset, and how long that took; milliseconds. */
export interface Calls {
  readonly calls: number;
  readonly rows: number;
  readonly mean: number;
  readonly slowest: number;
}

/** The server must have been started with these, so that the slowest call is known and not only the average. */
export const WATCHING = { shared_preload_libraries: 'pg_stat_statements' };

/** Prepares a database for `readCalls`. */
export async function watchCalls(url: string): Promise<void> {
  await execute(url, 'CREATE EXTENSION pg_stat_statements SCHEMA public');
}

export async function readTable(url: string): Promise<TableState> {
  const sizes = await execute(
    url,
    `SELECT c.relname AS name, pg_relation_size(c.oid)::float8 / 1048576 AS mib
       FROM pg_class c
       LEFT JOIN pg_index i ON i.indexrelid = c.oid
      WHERE 'services.sms_logs'::regclass IN (c.oid, i.indrelid)
      ORDER BY c.relkind DESC, c.relname`,
  );
  const counts = await readNumbers<'liveRows' | 'deadRows' | 'vacuums'>(
    url,
    `SELECT n_live_tup AS "liveRows", n_dead_tup AS "deadRows", autovacuum_count AS vacuums
       FROM pg_stat_user_tables
      WHERE relid = 'services.sms_logs'::regclass`,
  );
  return { ...counts, sizes: Object.fromEntries(sizes.map(({ name, mib }) => [String(name), Number(mib)])) };
}

/** The calls of a function since the last reset. */
export function readCalls(url: string, name: string): Promise<Calls> {
  return readNumbers<keyof Calls>(
    url,
    `SELECT sum(calls) AS calls, sum(rows) AS rows, sum(total_exec_time) / sum(calls) AS mean,
            max(max_exec_time) AS slowest
       FROM public.pg_stat_statements
      WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND strpos(query, ' ${name}(') > 0 AND calls > 0`,
  );
}

export async function resetCalls(url: string): Promise<void> {
  await execute(url, 'SELECT public.pg_stat_statements_reset()');
}
