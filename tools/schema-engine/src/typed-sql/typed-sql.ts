import type { FieldDef } from 'pg';
import type {
  IntrospectSqlParams,
  IntrospectSqlResult,
  SqlQueryColumnOutput,
  SqlQueryInput,
  SqlQueryOutput,
  SqlQueryParameterOutput,
} from '@prisma/schema-engine-wasm/schema_engine_bg';
import { Connection } from '../connection/connection.ts';
import type { ConnectionTarget } from '../connection/connection-url.ts';
import { ERRORS } from '../errors.ts';
import { describeQuery } from '../connection/query-description.ts';
import { readComments } from '../scripts/sql-comments.ts';
import type { QueryComments } from '../scripts/sql-comments.ts';
import { typedSqlType } from './typed-sql-types.ts';

/**
 * In a query with one of these words a column may be null although its table forbids it. Found anywhere, even in a
 * comment, they make every column nullable: too wide a type is safe, too narrow a one is not.
 */
const MAKES_NULLS = /\b(left|right|full|rollup|cube|grouping)\b/i;

interface TypeNames {
  readonly enums: Map<number, string>;
  readonly names: Map<number, string>;
}

/**
 * The types of TypedSQL queries (`prisma generate --sql`). The WebAssembly engine does not know them, so the server is
 * asked; nothing is run.
 */
export async function introspectSql(
  target: ConnectionTarget,
  params: IntrospectSqlParams,
): Promise<IntrospectSqlResult> {
  const connection = await Connection.open(target);
  try {
    const types = await readTypeNames(connection);
    const queries: SqlQueryOutput[] = [];
    for (const query of params.queries) queries.push(await introspectQuery(connection, query, types));
    return { queries };
  } finally {
    await connection.close();
  }
}

async function introspectQuery(
  connection: Connection,
  query: SqlQueryInput,
  types: TypeNames,
): Promise<SqlQueryOutput> {
  const comments = readComments(query.source, [...types.enums.values()]);
  const { parameterTypes, columns } = await describeQuery(connection, query.source);
  const required = MAKES_NULLS.test(query.source)
    ? new Set()
    : await readRequiredColumns(connection, columns);
  return {
    name: query.name,
    source: query.source,
    documentation: comments.description,
    parameters: parameterTypes.map((oid, index) => parameterOutput(oid, index + 1, { comments, types })),
    resultColumns: columns.map((column) => columnOutput(column, types, required.has(columnKey(column)))),
  };
}

function parameterOutput(
  oid: number,
  number: number,
  { comments, types }: { comments: QueryComments; types: TypeNames },
): SqlQueryParameterOutput {
  const comment = comments.parameters.get(number);
  return {
    name: comment?.name ?? types.names.get(oid) ?? `_${number}`,
    typ: comment?.type ?? typeName(oid, types),
    documentation: comment?.documentation ?? null,
    nullable: comment?.nullable ?? false,
  };
}

function columnOutput(column: FieldDef, types: TypeNames, required: boolean): SqlQueryColumnOutput {
  if (column.name === '?column?') throw ERRORS.unnamedColumn();
  return { name: column.name, typ: typeName(column.dataTypeID, types), nullable: !required };
}

function typeName(oid: number, types: TypeNames): string {
  return typedSqlType(oid) ?? types.enums.get(oid) ?? 'unknown';
}

async function readTypeNames(connection: Connection): Promise<TypeNames> {
  const { rows } = await connection.query(
    `SELECT oid::bigint, typname, typtype FROM pg_type WHERE typtype IN ('b', 'e')`,
  );
  const named = rows.map(([oid, name, kind]) => ({ oid: Number(oid), name: name ?? '', kind }));
  return {
    names: new Map(named.map(({ oid, name }) => [oid, name])),
    enums: new Map(named.filter(({ kind }) => kind === 'e').map(({ oid, name }) => [oid, name])),
  };
}

/** Those of the columns that come straight from a table column declared NOT NULL. */
async function readRequiredColumns(
  connection: Connection,
  columns: readonly FieldDef[],
): Promise<Set<string>> {
  const { rows } = await connection.query(
    `SELECT attrelid::bigint, attnum FROM pg_attribute
     WHERE attnotnull AND (attrelid, attnum) IN (SELECT * FROM unnest($1::oid[], $2::int2[]))`,
    [columns.map((column) => column.tableID), columns.map((column) => column.columnID)],
  );
  return new Set(rows.map(([table, column]) => `${table}.${column}`));
}

function columnKey(column: FieldDef): string {
  return `${column.tableID}.${column.columnID}`;
}
