import type { Client } from 'pg';
import { codeOf } from '../errors.ts';
import type { Check, Finding } from './finding.ts';
import { GOLDEN_HASH, SPECIFIED_INDEXES, NULLABLE, STATUSES, TABLES } from './specification.ts';

type Columns = Map<string, { type: string; isRequired: boolean }>;

const COLUMNS = `
  SELECT n.nspname || '.' || c.relname AS "table", a.attname AS column,
         format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull AS "isRequired"
    FROM pg_attribute a
    JOIN pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p')
    JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE n.nspname || '.' || c.relname = ANY ($1) AND a.attnum > 0 AND NOT a.attisdropped`;

// The columns alone: what an index does with them (operator class, order) is compared with the dump.
const INDEXES = `
  SELECT i.relname AS name, n.nspname || '.' || c.relname AS "table", x.indisunique AS "isUnique",
         x.indisprimary AS "isPrimary", x.indpred IS NOT NULL AS "isPartial",
         ARRAY(SELECT a.attname::text
                 FROM unnest(x.indkey) WITH ORDINALITY AS k (number, place)
                 LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number
                WHERE k.place <= x.indnkeyatts
                ORDER BY k.place) AS columns
    FROM pg_index x
    JOIN pg_class i ON i.oid = x.indexrelid
    JOIN pg_class c ON c.oid = x.indrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE n.nspname || '.' || c.relname = ANY ($1)`;

const CHECKS = `
  SELECT pg_get_constraintdef(k.oid) AS definition
    FROM pg_constraint k
    JOIN pg_class c ON c.oid = k.conrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND k.conkey = ARRAY[a.attnum]
   WHERE k.contype = 'c' AND n.nspname || '.' || c.relname = $1 AND a.attname = $2`;

interface IndexRow {
  readonly name: string;
  readonly table: string;
  readonly columns: string[];
  readonly isUnique: boolean;
  readonly isPrimary: boolean;
  readonly isPartial: boolean;
}

/**
 * The specification of the feature migration, on the live database.
 *
 * @param isDistributed keys have the lane beside what is specified
 */
export async function checkSpecification(client: Client, { isDistributed = false } = {}): Promise<Check> {
  const columns = await readColumns(client);
  const names = TABLES.map(({ name }) => name);
  const { rows } = await client.query<IndexRow>(INDEXES, [names]);
  const found = isDistributed ? rows.map(withoutLane) : rows;
  const messages = [
    ...tableFaults(columns),
    ...keyFaults(found),
    ...indexFaults(found),
    ...(await statusFaults(client)),
    ...(await hashFaults(client)),
  ];
  const remedy =
    'If a migration is pending, db:deploy makes it; otherwise somebody has changed the database by hand: ' +
    'prisma/schema.sql has the statement that makes it right.';
  const columnCount = TABLES.reduce((sum, table) => sum + Object.keys(table.columns).length, 0);
  return {
    name: 'specification',
    summary: `${columnCount} columns, ${SPECIFIED_INDEXES.length} indexes, the verification hash`,
    findings: messages.map((what): Finding => ({ severity: 'wrong', what, remedy })),
  };
}

/** A unique index without the lane that the distributed form adds. */
function withoutLane(index: IndexRow): IndexRow {
  return index.isUnique ? { ...index, columns: index.columns.filter((column) => column !== 'lane') } : index;
}

async function readColumns(client: Client): Promise<Map<string, Columns>> {
  const { rows } = await client.query<{ table: string; column: string; type: string; isRequired: boolean }>(
    COLUMNS,
    [TABLES.map(({ name }) => name)],
  );
  const columns = new Map<string, Columns>();
  for (const { table, column, ...rest } of rows) {
    const ofTable = columns.get(table) ?? new Map();
    columns.set(table, ofTable.set(column, rest));
  }
  return columns;
}

function tableFaults(found: ReadonlyMap<string, Columns>): string[] {
  return TABLES.flatMap(({ name, columns }) => {
    const present = found.get(name);
    if (present === undefined) return [`table ${name} is missing`];
    return Object.entries(columns).flatMap(([column, type]) => {
      const actual = present.get(column);
      if (actual === undefined) return [`column ${name}.${column} is missing`];
      if (actual.type !== type) return [`column ${name}.${column} is ${actual.type}, not ${type}`];
      const mustBeNullable = name === NULLABLE.table && column === NULLABLE.column;
      return mustBeNullable && actual.isRequired ? [`column ${name}.${column} is NOT NULL`] : [];
    });
  });
}

function keyFaults(found: readonly IndexRow[]): string[] {
  return TABLES.flatMap(({ name, key }) => {
    if (key === undefined) return [];
    const primary = found.find(({ table, isPrimary }) => table === name && isPrimary);
    return primary?.columns.join() === key ? [] : [`${key} is not the primary key of ${name}`];
  });
}

function indexFaults(found: readonly IndexRow[]): string[] {
  return SPECIFIED_INDEXES.flatMap(({ name, table, columns, isUnique }) => {
    const index = found.find((candidate) => candidate.name === name && candidate.table === table);
    if (index === undefined) return [`index ${name} on ${table} is missing`];
    const actual = index.columns.join(', ');
    if (actual !== columns.join(', '))
      return [`index ${name} is on (${actual}), not on (${columns.join(', ')})`];
    if (index.isPartial) return [`index ${name} covers only a part of ${table}`];
    return isUnique && !index.isUnique ? [`index ${name} is not UNIQUE`] : [];
  });
}

async function statusFaults(client: Client): Promise<string[]> {
  const { table, column, values } = STATUSES;
  const { rows } = await client.query<{ definition: string }>(CHECKS, [table, column]);
  const allowed = rows.map(({ definition }) =>
    [...definition.matchAll(/'([A-Z_]+)'/g)].map(([, value]) => String(value)).toSorted(),
  );
  const isKept = allowed.some((list) => list.join() === values.join());
  return isKept ? [] : [`no CHECK keeps ${table}.${column} to ${values.join(', ')}`];
}

async function hashFaults(client: Client): Promise<string[]> {
  try {
    const { rows } = await client.query<{ hash: string }>(
      'SELECT core.verification_hash($1::text, $2::numeric, $3::timestamp) AS hash',
      [GOLDEN_HASH.reference, GOLDEN_HASH.amount, GOLDEN_HASH.createdAt],
    );
    const hash = rows[0]?.hash;
    if (hash === GOLDEN_HASH.hash) return [];
    return [`core.verification_hash gives ${String(hash)} for the golden row, not ${GOLDEN_HASH.hash}`];
  } catch (error) {
    // No such function, or no such schema.
    if (!['42883', '3F000'].includes(codeOf(error) ?? '')) throw error;
    return ['function core.verification_hash is missing'];
  }
}
