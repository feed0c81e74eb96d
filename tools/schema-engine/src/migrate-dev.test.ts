import { readFile } from 'node:fs/promises';
import { execute } from '@repo/postgres/database';
import { describe, expect, it } from 'vitest';
import { DatabaseOwner } from './fixtures/database-owner.ts';
import { EngineClient, applyInput } from './fixtures/engine-client.ts';
import { PrismaProject } from './fixtures/prisma-project.ts';

const WALLET = 'model Wallet {\n  id Int @id\n}\n';
const WITH_NAME = 'model Wallet {\n  id Int @id\n  name String?\n}\n';
const WITH_NAME_AND_PHONE = 'model Wallet {\n  id Int @id\n  name String?\n  phone String?\n}\n';

const COLUMNS = `SELECT column_name::text AS name FROM information_schema.columns WHERE table_name = 'Wallet' ORDER BY 1`;

describe('migrate dev', () => {
  it('makes and applies migrations, keeps the rows, and leaves no database and no change of the lock file behind', async () => {
    await using owner = await DatabaseOwner.create();
    const databaseUrl = await owner.createDatabase();
    await using project = await PrismaProject.create({ databaseUrl, models: WALLET });

    await project.succeed('migrate', 'dev', '--name', 'first');
    await execute(databaseUrl, 'INSERT INTO "Wallet" VALUES (1)');
    await project.writeModels(WITH_NAME);
    await project.succeed('migrate', 'dev', '--name', 'second');

    expect((await project.migrations()).map((name) => name.replace(/^\d+_/, ''))).toEqual([
      'first',
      'second',
    ]);
    expect(await execute(databaseUrl, 'SELECT * FROM "Wallet"')).toEqual([{ id: 1, name: null }]);
    expect(await owner.databases()).toEqual([owner.databaseName('main')]);
    // The CLI writes it again each time.
    const ours = new URL('../../../prisma/migrations/migration_lock.toml', import.meta.url);
    expect(await project.read('prisma/migrations/migration_lock.toml')).toBe(await readFile(ours, 'utf8'));
  });

  it('--create-only writes a migration that the next run applies before it makes another', async () => {
    await using owner = await DatabaseOwner.create();
    const databaseUrl = await owner.createDatabase();
    await using project = await PrismaProject.create({
      databaseUrl,
      models: WITH_NAME,
      migrations: {
        '20240101000000_base':
          'CREATE TABLE "Wallet" (id INT NOT NULL, CONSTRAINT "Wallet_pkey" PRIMARY KEY (id));',
      },
    });

    const drafted = await project.prisma('migrate', 'dev', '--name', 'name', '--create-only');
    expect(drafted.exitCode).toBe(0);
    expect(await execute(databaseUrl, COLUMNS)).toEqual([{ name: 'id' }]);

    await project.writeModels(WITH_NAME_AND_PHONE);
    await project.succeed('migrate', 'dev', '--name', 'phone');
    expect(await execute(databaseUrl, COLUMNS)).toEqual([
      { name: 'id' },
      { name: 'name' },
      { name: 'phone' },
    ]);
    const [, , last] = await project.migrations();
    expect(await project.read(`prisma/migrations/${last}/migration.sql`)).not.toContain('"name"');
  });

  it('shows why and where a migration fails on the shadow database (P3006), and touches nothing', async () => {
    await using owner = await DatabaseOwner.create();
    const databaseUrl = await owner.createDatabase();
    const migrations = { '20240101000000_broken': 'SELECT 1;\nSELECT missing();' };
    await using project = await PrismaProject.create({ databaseUrl, migrations });

    const { output, exitCode } = await project.prisma('migrate', 'dev', '--name', 'any');
    for (const part of ['P3006', 'SQLSTATE 42883', '>    2 | SELECT missing();'])
      expect(output).toContain(part);
    expect(exitCode).toBe(1);
    expect(await execute(databaseUrl, `SELECT to_regclass('_prisma_migrations') AS history`)).toEqual([
      { history: null },
    ]);
    expect(await owner.databases()).toEqual([owner.databaseName('main')]);
  });
});

describe('a configured shadow database', () => {
  it('is emptied and used, and stays', async () => {
    await using owner = await DatabaseOwner.create();
    const databaseUrl = await owner.createDatabase();
    const shadowDatabaseUrl = await owner.createDatabase('shadow');
    await execute(
      shadowDatabaseUrl,
      'CREATE SCHEMA old; CREATE TABLE old.t (id INT); CREATE TABLE "Wallet" (x INT)',
    );
    await using project = await PrismaProject.create({
      databaseUrl,
      shadowDatabaseUrl,
      models: WALLET,
      migrations: {
        '20240101000000_base':
          'CREATE TABLE "Wallet" (id INT NOT NULL, CONSTRAINT "Wallet_pkey" PRIMARY KEY (id));',
      },
    });
    await owner.asAdministrator(`ALTER ROLE ${owner.name} NOCREATEDB`);

    const { output } = await project.prisma('migrate', 'dev', '--name', 'none');
    expect(output).toContain('in sync with your schema');
    expect(await execute(shadowDatabaseUrl, `SELECT to_regnamespace('old') AS old`)).toEqual([{ old: null }]);
  });

  it('is refused when it is the main database under another spelling, whose rows survive', async () => {
    await using owner = await DatabaseOwner.create();
    const databaseUrl = await owner.createDatabase();
    await execute(databaseUrl, 'CREATE TABLE precious AS SELECT 1 AS id');
    const spelling = new URL(databaseUrl);
    spelling.hostname = 'localhost';
    spelling.searchParams.set('connection_limit', '3');
    await using engine = EngineClient.with({ url: databaseUrl, shadowDatabaseUrl: spelling.href });

    const migrations = applyInput({ '20240101000000_base': 'CREATE TABLE precious (id INT);' });
    const { failure } = await engine.call('devDiagnostic', migrations);
    expect(failure?.message).toContain('appears to be the same as the main database');
    expect(await execute(databaseUrl, 'SELECT id FROM precious')).toEqual([{ id: 1 }]);
  });
});
