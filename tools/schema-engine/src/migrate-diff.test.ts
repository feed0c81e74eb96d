import { execute } from '@repo/postgres/database';
import { describe, expect, it } from 'vitest';
import { DatabaseOwner } from './fixtures/database-owner.ts';
import { PrismaProject } from './fixtures/prisma-project.ts';

const MODELS = 'model Wallet {\n  id Int @id\n}\n';
const TABLE = 'CREATE TABLE "Wallet" (id INT NOT NULL, CONSTRAINT "Wallet_pkey" PRIMARY KEY (id));';
const SCHEMA = 'prisma/schema.prisma';
const MIGRATIONS = 'prisma/migrations';

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
    expect(await diff(project, '--from-schema', SCHEMA, '--to-empty')).toBe(2);
    expect(await diff(project, '--from-schema', SCHEMA, '--to-schema', SCHEMA)).toBe(0);
  });

  it('compares migrations, the database and the schema in every direction', async () => {
    await using owner = await DatabaseOwner.create();
    const databaseUrl = await owner.createDatabase();
    const migrations = { '20240101000000_base': TABLE };
    await using project = await PrismaProject.create({ databaseUrl, models: MODELS, migrations });
    await execute(databaseUrl, TABLE);

    expect(await diff(project, '--from-migrations', MIGRATIONS, '--to-schema', SCHEMA)).toBe(0);
    expect(await diff(project, '--from-config-datasource', '--to-schema', SCHEMA)).toBe(0);
    expect(await diff(project, '--from-migrations', MIGRATIONS, '--to-config-datasource')).toBe(0);
    expect(await diff(project, '--from-empty', '--to-migrations', MIGRATIONS)).toBe(2);

    await execute(databaseUrl, 'ALTER TABLE "Wallet" ADD COLUMN extra TEXT');
    expect(await diff(project, '--from-config-datasource', '--to-schema', SCHEMA)).toBe(2);
    expect(await diff(project, '--from-schema', SCHEMA, '--to-config-datasource')).toBe(2);
    expect(await diff(project, '--from-config-datasource', '--to-migrations', MIGRATIONS)).toBe(2);
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
