import { execute } from '@repo/postgres/database';

/** What `services.sms_logs` is like at a moment. */
export interface TableState {
  /** By the server's own count, which is an estimate. */
  readonly liveRows: number;
  readonly deadRows: number;
  readonly vacuums: number;
  /** MiB, by name: the table without its indexes, and each index. */
  readonly sizes: Readonly<Record<string, number>>;
}

/** How often a function was called since the last look, and how long that took; milliseconds. */
export interface Calls {
  readonly calls: number;
  readonly rows: number;
  readonly mean: number;
  readonly slowest: number;
}

/** The server must have been started with these, so that the slowest call is known and not only the average. */
export const WATCHING = { shared_preload_libraries: 'pg_stat_statements' };

/** Prepares a database for `lookAtCalls`. */
export async function watchCalls(url: string): Promise<void> {
  await execute(url, 'CREATE EXTENSION pg_stat_statements SCHEMA public');
}

export async function lookAtTable(url: string): Promise<TableState> {
  const rows = await execute(
    url,
    `SELECT c.relname AS name, pg_relation_size(c.oid)::float8 / 1048576 AS mib, s.n_live_tup::float8 AS live,
            s.n_dead_tup::float8 AS dead, s.autovacuum_count::int AS vacuums
       FROM pg_class c
       LEFT JOIN pg_index i ON i.indexrelid = c.oid
       LEFT JOIN pg_stat_user_tables s ON s.relid = c.oid
      WHERE 'services.sms_logs'::regclass IN (c.oid, i.indrelid)
      ORDER BY c.relkind DESC, c.relname`,
  );
  const table = rows.find(({ live }) => live !== null);
  return {
    liveRows: Number(table?.['live']),
    deadRows: Number(table?.['dead']),
    vacuums: Number(table?.['vacuums']),
    sizes: Object.fromEntries(rows.map(({ name, mib }) => [String(name), Number(mib)])),
  };
}

/** The calls of a function since the last look at any. */
export async function lookAtCalls(url: string, functions: readonly string[]): Promise<Calls[]> {
  const found: Calls[] = [];
  for (const name of functions) {
    const [row] = await execute(
      url,
      `SELECT sum(calls)::float8 AS calls, sum(rows)::float8 AS rows,
              sum(total_exec_time) / sum(calls) AS mean, max(max_exec_time) AS slowest
         FROM public.pg_stat_statements
        WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
          AND strpos(query, ' ${name}(') > 0 AND calls > 0`,
    );
    const fact = (column: string) => Number(row?.[column] ?? Number.NaN);
    found.push({ calls: fact('calls'), rows: fact('rows'), mean: fact('mean'), slowest: fact('slowest') });
  }
  await execute(url, 'SELECT public.pg_stat_statements_reset()');
  return found;
}
