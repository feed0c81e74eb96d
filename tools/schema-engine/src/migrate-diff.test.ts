import { execute } from '@repo/postgres/database';
import { describe, expect, it } from 'vitest';
import { DatabaseOwner } from './fixtures/database-owner.ts';
import { EngineClient, diffInput, migrationList } from './fixtures/engine-client.ts';
import { PrismaProject } from './fixtures/prisma-project.ts';

const MODELS = 'model Wallet {\n  id Int @id\n}\n';
const TABLE = 'CREATE TABLE "Wallet" (id INT NOT NULL, CONSTRAINT "Wallet_pkey" PRIMARY KEY (id));';
const SCHEMA = 'prisma/schema.prisma';
const MIGRATIONS = 'prisma/migrations';

/** The sides of a comparison, as the CLI hands them to the engine. */
const EMPTY = { tag: 'empty' };
const FILES = [{ path: SCHEMA, content: `datasource db {\n  provider = "postgresql"\n}\n${MODELS}` }];
const MODELLED = { tag: 'schemaDatamodel', files: FILES };
const DEPLOYED = { tag: 'schemaDatasource', files: FILES, configDir: '/' };
const MIGRATED = { tag: 'migrations', ...migrationList({ '20240101000000_base': TABLE }) };

const SAME = { result: { exitCode: 0 } };
const DIFFERENT = { result: { exitCode: 2 } };

/** What a comparison answers with --exit-code: 0 for "the same", 2 for "they differ". */
async function diff(project: PrismaProject, ...sides: string[]): Promise<number | null> {
  const { exitCode } = await project.prisma('migrate', 'diff', ...sides, '--exit-code');
  return exitCode;
}

describe('migrate diff', () => {
  it('compares schema files without a database, as a script or as a summary', async () => {
    await using project = await PrismaProject.create({ models: MODELS });
    const script = await project.prisma('migrate', 'diff', '--from-empty', '--to-schema', SCHEMA, '--script');
    expect(script.stdout).toContain('CREATE TABLE "Wallet"');
    const summary = await project.prisma(
      'migrate',
      'diff',
      '--from-schema',
      SCHEMA,
      '--to-empty',
      '--exit-code',
    );
    expect(summary.stdout).toContain('Removed tables');
    expect(summary.exitCode).toBe(2);

    await using engine = new EngineClient([]);
    expect(await engine.call('diff', diffInput(MODELLED, MODELLED))).toEqual(SAME);
  });

  it('compares migrations, the database and the schema in every direction', async () => {
    await using owner = await DatabaseOwner.create();
    const databaseUrl = await owner.createDatabase();
    const migrations = { '20240101000000_base': TABLE };
    await using project = await PrismaProject.create({ databaseUrl, models: MODELS, migrations });
    await using engine = EngineClient.on(databaseUrl);
    const compare = (from: object, to: object) => engine.call('diff', diffInput(from, to));
    await execute(databaseUrl, TABLE);

    expect(await diff(project, '--from-migrations', MIGRATIONS, '--to-config-datasource')).toBe(0);
    expect(await compare(MIGRATED, MODELLED)).toEqual(SAME);
    expect(await compare(DEPLOYED, MODELLED)).toEqual(SAME);
    expect(await compare(MIGRATED, DEPLOYED)).toEqual(SAME);
    expect(await compare(EMPTY, MIGRATED)).toEqual(DIFFERENT);

    await execute(databaseUrl, 'ALTER TABLE "Wallet" ADD COLUMN extra TEXT');
    expect(await diff(project, '--from-config-datasource', '--to-migrations', MIGRATIONS)).toBe(2);
    expect(await compare(DEPLOYED, MODELLED)).toEqual(DIFFERENT);
    expect(await compare(MODELLED, DEPLOYED)).toEqual(DIFFERENT);
    expect(await compare(DEPLOYED, MIGRATED)).toEqual(DIFFERENT);
    expect(await owner.databases()).toEqual([owner.databaseName('main')]);
  });

  it('says that a database is needed when none is configured', async () => {
    await using project = await PrismaProject.create({
      models: MODELS,
      migrations: { '20240101000000_base': TABLE },
    });
    const { output, exitCode } = await project.prisma(
      'migrate',
      'diff',
      '--from-empty',
      '--to-migrations',
      MIGRATIONS,
    );
    expect(output).toContain('`datasource.url` is not set');
    expect(exitCode).toBe(1);
  });
});
