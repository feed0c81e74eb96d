import type { Client } from 'pg';
import { IS_NOT_HISTORY, IS_USER_SCHEMA } from '../dump/catalog.ts';

/** A table that holds rows. */
export interface Table {
  readonly oid: number;
  /** For people: `core.wallets`. */
  readonly label: string;
  /** The same, quoted for SQL. */
  readonly sql: string;
  readonly columns: Column[];
  /** The numbers of the primary key's columns; none without a primary key. */
  readonly key: number[];
  /** The file that its rows are in, which a TRUNCATE replaces. */
  readonly file: number;
  /** Whether this session's user may lock it. */
  readonly isOwned: boolean;
}

export interface Column {
  /** A column keeps its number when it is renamed. */
  readonly number: number;
  readonly name: string;
  readonly sql: string;
  readonly type: string;
  readonly default: string | null;
  readonly isGenerated: boolean;
}

/** The tables and relations of one moment. */
export interface Snapshot {
  readonly tables: Table[];
  /** The oids of all relations, the server's own included. */
  readonly relations: number[];
}

const TABLES = `
  SELECT c.oid, n.nspname || '.' || c.relname AS label, format('%I.%I', n.nspname, c.relname) AS sql,
         pg_relation_filenode(c.oid) AS file,
         pg_has_role(c.relowner, 'USAGE') AS "isOwned",
         coalesce((SELECT array_agg(k::int4) FROM pg_index x, unnest(x.indkey) AS k
                    WHERE x.indrelid = c.oid AND x.indisprimary), '{}') AS key,
         coalesce((
           SELECT jsonb_agg(jsonb_build_object(
                    'number', a.attnum, 'name', a.attname, 'sql', quote_ident(a.attname),
                    'type', format_type(a.atttypid, a.atttypmod), 'default', pg_get_expr(d.adbin, d.adrelid),
                    'isGenerated', a.attgenerated <> '') ORDER BY a.attnum)
             FROM pg_attribute a
             LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
            WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), '[]') AS columns
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND ${IS_USER_SCHEMA} AND ${IS_NOT_HISTORY}
   ORDER BY n.nspname, c.relname`;

const IS_OWN_TABLE_LOCK = `
  l.pid = pg_backend_pid() AND l.locktype = 'relation' AND l.granted
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())`;

/** All tables with rows of their own in all schemas but PostgreSQL's, as the open transaction sees them. */
export async function readTables(client: Client): Promise<Table[]> {
  const { rows } = await client.query<Table>(TABLES);
  return rows;
}

/** The tables, and the oids that distinguish later relations from those of now. */
export async function readSnapshot(client: Client): Promise<Snapshot> {
  const { rows } = await client.query<{ oid: number }>('SELECT oid FROM pg_class');
  return { tables: await readTables(client), relations: rows.map(({ oid }) => oid) };
}

/**
 * How many relations the open transaction has dropped that a snapshot does not know: its own working tables, or tables
 * that another session has made since. The lock on a dropped relation stays until the end.
 */
export async function countDroppedStrangers(client: Client, { relations }: Snapshot): Promise<number> {
  const { rows } = await client.query<{ count: number }>(
    `SELECT count(*)::int AS count
       FROM pg_locks l
      WHERE ${IS_OWN_TABLE_LOCK} AND l.mode = 'AccessExclusiveLock'
        AND NOT l.relation = ANY ($1::oid[])
        AND NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = l.relation)`,
    [relations],
  );
  return rows[0]?.count ?? 0;
}

/** The oids of the tables in which the open transaction has inserted, updated or deleted, however indirectly. */
export async function readWritten(client: Client): Promise<Set<number>> {
  const { rows } = await client.query<{ oid: number }>(
    `SELECT l.relation AS oid FROM pg_locks l WHERE ${IS_OWN_TABLE_LOCK} AND l.mode = 'RowExclusiveLock'`,
  );
  return new Set(rows.map(({ oid }) => oid));
}

const LITERAL = /^\(?(?:'(?:[^']|'')*'|-?\d+(?:\.\d+)?|true|false|NULL)\)?(?:::[\w" .,()[\]]+)?$/i;

/** Whether a default is one value for all rows, not a call such as now() that gives each row its own. */
export function isConstant(expression: string): boolean {
  return LITERAL.test(expression);
}
