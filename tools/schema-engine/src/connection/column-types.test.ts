import { ColumnTypeEnum as T } from '@prisma/driver-adapter-utils';
import { createTestDatabase } from '@repo/postgres/testing';
import type { TestDatabase } from '@repo/postgres/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { columnType, columnValue } from './column-types.ts';
import { Connection } from './connection.ts';
import { parseConnectionUrl } from './connection-url.ts';

let database: TestDatabase;
let connection: Connection;

beforeAll(async () => {
  database = await createTestDatabase({ empty: true });
  connection = await Connection.open(parseConnectionUrl(database.url));
  await connection.query(`SET timezone = 'Africa/Nairobi'`);
});

afterAll(async () => {
  await connection.close();
  await database.drop();
});

async function read(expression: string): Promise<{ type: number; value: unknown }> {
  const { fields, rows } = await connection.query(`SELECT ${expression}`);
  const oid = fields[0]?.dataTypeID ?? 0;
  return { type: columnType(oid), value: columnValue(oid, rows[0]?.[0] ?? null) };
}

describe('a value as the engine reads it', () => {
  it.each([
    ['true', T.Boolean, true],
    [`'r'::"char"`, T.Character, 'r'],
    [`'a name'::name`, T.Text, 'a name'],
    [`7::int2`, T.Int32, 7],
    [`7::int8`, T.Int64, '7'],
    [`7::oid`, T.Int64, '7'],
    ['1.50::numeric(19,2)', T.Numeric, '1.50'],
    [`ARRAY['a,b', NULL, '"']::text[]`, T.TextArray, ['a,b', null, '"']],
    [`ARRAY['a']::name[]`, T.TextArray, ['a']],
    [`ARRAY['i','u']::"char"[]`, T.CharacterArray, ['i', 'u']],
    ['ARRAY[true, false]', T.BooleanArray, [true, false]],
    ['ARRAY[1, 2]::int2[]', T.Int32Array, [1, 2]],
    ['ARRAY[1, 2]::int8[]', T.Int64Array, ['1', '2']],
    [`'2026-03-01 12:34:56.789+03'::timestamptz`, T.DateTime, '2026-03-01T09:34:56.789+00:00'],
    [`'2026-03-01 12:34:56'::timestamp`, T.DateTime, '2026-03-01T12:34:56.000+00:00'],
    [`interval '1 day'`, T.Text, '1 day'],
    ['NULL::int', T.Int32, null],
  ])('%s', async (expression, type, value) => {
    expect(await read(expression)).toEqual({ type, value });
  });
});
