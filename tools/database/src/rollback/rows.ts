import { escapeLiteral } from 'pg';
import type { Client } from 'pg';
import { isConstant, readTables } from './catalog.ts';
import type { Table } from './catalog.ts';
import type { Effect } from './rehearsal.ts';

/** What is there again after going down and up, by the table's oid. */
export interface Returned {
  /** Of tables that stay: how many deleted rows did not come back, and the keys of those that did. */
  readonly deleted: Map<number, { lost: bigint; keys: string[] }>;
  /** Of tables that go: the rows that the migrations put into them, each as a JSON object. */
  readonly own: Map<number, string[]>;
}

type Written = Effect['written'][number];

// A migration brings a handful of rows. One that computes a table again cannot be distinguished from one that loses it.
const OWN_ROWS_LIMIT = 1000;

/** The primary key of a row of `t` as one JSON value. */
export function keyOf(table: Table): string {
  return keyColumns(table, table.key);
}

/** Copies the rows of tables that a script writes to, so that it can be seen afterwards which are gone. */
export async function copyRows(client: Client, written: readonly Written[]): Promise<void> {
  for (const { before, after } of written) {
    await client.query(
      `CREATE TEMP TABLE ${copyName(before)} ON COMMIT DROP AS ${keyedRows(before, identity(before, after))}`,
    );
  }
}

/** Notes which of the copied rows are not in their tables any more. */
export async function keepDeleted(client: Client, written: readonly Written[]): Promise<void> {
  for (const { before, after } of written) {
    await client.query(
      `CREATE TEMP TABLE ${deletedName(before)} ON COMMIT DROP AS
       SELECT c.key, c.row FROM ${copyName(before)} c
        WHERE NOT EXISTS (
          SELECT FROM (${keyedRows(after, identity(before, after))}) k WHERE k.key = c.key)`,
    );
  }
}

/** Looks after going down and, if that could be done, up again for rows that are there again. */
export async function readReturned(client: Client, effect: Effect, isUp: boolean): Promise<Returned> {
  const returned: Returned = { deleted: new Map(), own: new Map() };
  const now = isUp ? await readTables(client) : [];
  for (const { before } of effect.written) {
    const table = now.find(({ oid }) => oid === before.oid);
    returned.deleted.set(before.oid, await compareDeleted(client, before, table));
  }
  for (const before of effect.tables) {
    const table = now.find(({ label }) => label === before.label);
    if (table !== undefined) returned.own.set(before.oid, await readOwnRows(client, table));
  }
  return returned;
}

/** Counts the rows of a table, without those that the migrations put there themselves. */
export async function countRows(client: Client, table: Table, own: readonly string[]): Promise<bigint> {
  const condition = own.length === 0 ? '' : `WHERE NOT (${contentOf(table)} = ANY ($1::jsonb[]))`;
  const { rows } = await client.query<{ count: string }>(
    `SELECT count(*) AS count FROM ONLY ${table.sql} t ${condition}`,
    own.length === 0 ? [] : [own],
  );
  return BigInt(rows[0]?.count ?? 0);
}

async function compareDeleted(
  client: Client,
  before: Table,
  now: Table | undefined,
): Promise<{ lost: bigint; keys: string[] }> {
  // Without a primary key, equal rows cannot be told apart: none counts as back.
  const there = now === undefined || before.key.length === 0 ? undefined : now;
  const content = there === undefined ? 'NULL::jsonb' : `d.row - ${ignoredOf(there)}`;
  const present =
    there === undefined
      ? 'NULL::jsonb AS content'
      : `${contentOf(there)} AS content FROM ONLY ${there.sql} t`;
  const { rows } = await client.query<{ lost: string; keys: string[] | null }>(
    `SELECT count(*) FILTER (WHERE p.content IS NULL) AS lost,
            (array_agg(d.key::text) FILTER (WHERE p.content IS NOT NULL)) AS keys
       FROM ${deletedName(before)} d
       LEFT JOIN (SELECT ${present}) p ON p.content = ${content}`,
  );
  return { lost: BigInt(rows[0]?.lost ?? 0), keys: rows[0]?.keys ?? [] };
}

async function readOwnRows(client: Client, table: Table): Promise<string[]> {
  if (table.key.length === 0) return [];
  const { rows } = await client.query<{ row: string }>(
    `SELECT (${contentOf(table)})::text AS row FROM ONLY ${table.sql} t LIMIT ${OWN_ROWS_LIMIT + 1}`,
  );
  return rows.length > OWN_ROWS_LIMIT ? [] : rows.map(({ row }) => row);
}

interface Identity {
  readonly numbers: number[];
  readonly isUnique: boolean;
}

function identity(before: Table, after: Table): Identity {
  const left = new Set(after.columns.map(({ number }) => number));
  const isUnique = before.key.length > 0 && before.key.every((number) => left.has(number));
  const all = before.columns.map(({ number }) => number).filter((number) => left.has(number));
  return { numbers: isUnique ? before.key : all, isUnique };
}

// By its primary key a row is known; without one, by all columns that stay and a number among its equals.
function keyedRows(table: Table, { numbers, isUnique }: Identity): string {
  const columns = keyColumns(table, numbers);
  const key = isUnique ? columns : `${columns} || to_jsonb(row_number() OVER (PARTITION BY ${columns}))`;
  return `SELECT ${key} AS key, to_jsonb(t) AS row FROM ONLY ${table.sql} t`;
}

function keyColumns(table: Table, numbers: readonly number[]): string {
  const columns = table.columns.filter(({ number }) => numbers.includes(number));
  return `jsonb_build_array(${columns.map(({ sql }) => `t.${sql}`).join(', ')})`;
}

function contentOf(table: Table): string {
  return `(to_jsonb(t) - ${ignoredOf(table)})`;
}

// What each row is given by a call, such as the time when it was made, says nothing about who made it.
function ignoredOf({ columns, key }: Table): string {
  const ignored = columns.filter(
    ({ number, default: expression }) =>
      expression !== null && !isConstant(expression) && !key.includes(number),
  );
  return `ARRAY[${ignored.map(({ name }) => escapeLiteral(name)).join(', ')}]::text[]`;
}

function copyName({ oid }: Table): string {
  return `pg_temp.daftari_copy_${oid}`;
}

function deletedName({ oid }: Table): string {
  return `pg_temp.daftari_deleted_${oid}`;
}
