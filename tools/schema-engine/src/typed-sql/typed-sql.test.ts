import { execute } from '@repo/postgres/database';
import { describe, expect, it } from 'vitest';
import { parseConnectionUrl } from '../connection/connection-url.ts';
import { DatabaseOwner } from '../fixtures/database-owner.ts';
import { PrismaProject } from '../fixtures/prisma-project.ts';
import { introspectSql } from './typed-sql.ts';

const TABLES = `
  CREATE TYPE kind AS ENUM ('A', 'B');
  CREATE TABLE wallet (id UUID PRIMARY KEY, kind kind NOT NULL, balance NUMERIC(19, 2) NOT NULL, tags TEXT[], note JSONB);
  CREATE TABLE phone (wallet UUID NOT NULL, digits TEXT NOT NULL);`;

async function describeSql(databaseUrl: string, source: string) {
  const { queries } = await introspectSql(parseConnectionUrl(databaseUrl), {
    url: '',
    queries: [{ name: 'q', source }],
  });
  return queries[0];
}

describe('the types of a query', () => {
  it('are those of the server for parameters and columns, enums by their names', async () => {
    await using owner = await DatabaseOwner.create();
    const databaseUrl = await owner.createDatabase();
    await execute(databaseUrl, TABLES);
    const described = await describeSql(
      databaseUrl,
      `-- @description All of a kind.
       -- @param $1:kind the kind wanted
       -- @param {Decimal} $2:least?
       SELECT id, kind, balance, tags, note, count(*) OVER () AS total FROM wallet WHERE kind = $1 AND balance > $2`,
    );
    expect(described).toMatchObject({
      documentation: 'All of a kind.',
      parameters: [
        { name: 'kind', typ: 'kind', nullable: false, documentation: 'the kind wanted' },
        { name: 'least', typ: 'decimal', nullable: true, documentation: null },
      ],
      resultColumns: [
        { name: 'id', typ: 'uuid', nullable: false },
        { name: 'kind', typ: 'kind', nullable: false },
        { name: 'balance', typ: 'decimal', nullable: false },
        { name: 'tags', typ: 'string-array', nullable: true },
        { name: 'note', typ: 'json', nullable: true },
        { name: 'total', typ: 'bigint', nullable: true },
      ],
    });
  });

  it('let every column of an outer join be null', async () => {
    await using owner = await DatabaseOwner.create();
    const databaseUrl = await owner.createDatabase();
    await execute(databaseUrl, TABLES);
    const described = await describeSql(
      databaseUrl,
      'SELECT digits FROM wallet LEFT JOIN phone ON wallet = id',
    );
    expect(described?.resultColumns).toEqual([{ name: 'digits', typ: 'string', nullable: true }]);
  });

  it('are refused for a column without a name, a query that is wrong and a comment that is wrong', async () => {
    await using owner = await DatabaseOwner.create();
    const databaseUrl = await owner.createDatabase();
    await expect(describeSql(databaseUrl, 'SELECT 1 + 1')).rejects.toThrow('AS name');
    await expect(describeSql(databaseUrl, 'SELECT missing FROM nowhere')).rejects.toThrow('nowhere');
    await expect(describeSql(databaseUrl, '-- @param {Number} $1\nSELECT $1::int AS n')).rejects.toThrow(
      'Number',
    );
  });
});

describe('generate --sql', () => {
  it('writes a typed function for each query', async () => {
    await using owner = await DatabaseOwner.create();
    const databaseUrl = await owner.createDatabase();
    await execute(databaseUrl, TABLES);
    await using project = await PrismaProject.create({
      databaseUrl,
      models: 'model phone {\n  wallet String @id @db.Uuid\n}\n',
    });
    await project.write(
      'prisma/sql/phonesOf.sql',
      '-- @param $1:wallet\nSELECT digits FROM phone WHERE wallet = $1',
    );

    await project.succeed('generate', '--sql');
    const written = await project.read('generated/sql/phonesOf.ts');
    expect(written).toContain('wallet: string');
    expect(written).toContain('digits: string');
  });

  it('fails with the name of the file when a query is wrong', async () => {
    await using owner = await DatabaseOwner.create();
    await using project = await PrismaProject.create({
      databaseUrl: await owner.createDatabase(),
      models: 'model phone {\n  id Int @id\n}\n',
    });
    await project.write('prisma/sql/wrong.sql', 'SELECT nothing FROM nowhere');
    const { output, exitCode } = await project.prisma('generate', '--sql');
    expect(output).toContain('wrong.sql');
    expect(output).toContain('relation "nowhere" does not exist');
    expect(exitCode).toBe(1);
  });
});
