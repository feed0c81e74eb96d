import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { execute } from '@repo/postgres/database';
import { createTestDatabase } from '@repo/postgres/testing';
import { describe, expect, it } from 'vitest';
import { withConnection } from '../connection.ts';
import { checkFunctionSources } from '../drift/function-sources.ts';
import { readDump } from '../dump/read-dump.ts';
import { TemporaryProject } from '../fixtures/temporary-project.ts';
import type { Project } from '../project.ts';
import { takeMigrationFolder } from './migration-folder.ts';
import { writeMigration } from './write-migration.ts';

const now = new Date('2099-03-04T05:06:07Z');

async function write(project: Project, isLast = false): Promise<{ up: string; down: string }> {
  await using scratch = await createTestDatabase({ empty: true });
  const folder = await takeMigrationFolder(project.migrations, { name: 'loans', now, isLast });
  await writeMigration(project, folder, scratch.url);
  return {
    up: await readFile(join(folder.path, 'migration.sql'), 'utf8'),
    down: await readFile(join(folder.path, 'down.sql'), 'utf8'),
  };
}

/** A migration with nothing in it yet: no tables are drafted for one that is there, for which Prisma's CLI runs twice. */
function begin(temporary: TemporaryProject): Promise<void> {
  return temporary.writeMigration('20990304050607_loans', { sql: '', down: '' });
}

/** Changes a function, gives one another signature, adds one that uses another new one, and removes one. */
async function changeFunctions(temporary: TemporaryProject): Promise<void> {
  const read = (name: string): Promise<string> =>
    readFile(join(temporary.project.functions, `${name}.sql`), 'utf8');
  const newId = await read('ids/core.new_id');
  await temporary.write('functions/ids/core.new_id.sql', newId.replace('4096000', '4095999'));
  const known = await read('ledger/core.find_request');
  await temporary.write(
    'functions/ledger/core.find_request.sql',
    known.replace('p_digest text)', "p_digest text, p_scope text DEFAULT '')"),
  );
  await temporary.write(
    'functions/core.a_fresh.sql',
    "CREATE OR REPLACE FUNCTION core.a_fresh() RETURNS int LANGUAGE sql AS 'SELECT core.fresh()';\n",
  );
  await temporary.write(
    'functions/core.fresh.sql',
    "CREATE OR REPLACE FUNCTION core.fresh() RETURNS int LANGUAGE sql AS 'SELECT 1';\n",
  );
  await temporary.remove('functions/ledger/core.backfill_hashes.sql');
}

describe('a written migration', () => {
  it('leads to the functions as their sources have them, and its way back to those of before', async () => {
    await using temporary = await TemporaryProject.create();
    await changeFunctions(temporary);
    await begin(temporary);
    const { up, down } = await write(temporary.project);
    await using database = await createTestDatabase();
    await withConnection(database.url, async (client) => {
      const before = await readDump(client);
      await client.query(up);
      expect(await checkFunctionSources(client, temporary.project.functions)).toEqual([]);
      expect(await readDump(client)).not.toEqual(before);
      await client.query(down);
      expect(await readDump(client)).toEqual(before);
    });
  });

  it('keeps what people wrote around the functions, and takes up what changed since', async () => {
    await using temporary = await TemporaryProject.create();
    await temporary.write(
      'functions/core.fresh.sql',
      "CREATE OR REPLACE FUNCTION core.fresh() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';\n",
    );
    await begin(temporary);
    const first = await write(temporary.project);
    const table = 'CREATE TABLE core.loans (id int);';
    const trigger =
      'CREATE TRIGGER loans_fresh BEFORE INSERT ON core.loans FOR EACH ROW EXECUTE FUNCTION core.fresh();';
    await temporary.writeMigration('20990304050607_loans', {
      sql: `${table}\n\n${first.up}\n${trigger}\n`,
      down: `DROP TABLE core.loans;\n\n${first.down}`,
    });
    await temporary.write(
      'functions/core.fresh.sql',
      "CREATE OR REPLACE FUNCTION core.fresh() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';\n",
    );
    const { up, down } = await write(temporary.project);
    expect(up).toMatch(/^CREATE TABLE[^]+RETURN NULL[^]+CREATE TRIGGER/);
    await using database = await createTestDatabase();
    await execute(database.url, up);
    await execute(database.url, down);
  });

  it('drafts the tables from the models', async () => {
    await using temporary = await TemporaryProject.create();
    const models = await readFile(join(temporary.project.models, 'core.prisma'), 'utf8');
    await using changed = await TemporaryProject.create();
    for (const name of await readdir(temporary.project.models)) {
      await changed.write(`schema/${name}`, await readFile(join(temporary.project.models, name), 'utf8'));
    }
    await changed.write(
      'schema/core.prisma',
      models.replace('model Wallet {', 'model Wallet {\n  nickname String?\n'),
    );
    const project = { ...changed.project, models: join(changed.project.migrations, '..', 'schema') };
    const { up, down } = await write(project);
    expect(up).toContain('ADD COLUMN     "nickname" TEXT');
    expect(down).toContain('DROP COLUMN "nickname"');
  });

  it('moves to the end when asked to', async () => {
    await using temporary = await TemporaryProject.create({ empty: true });
    await temporary.write('functions/notes.md', '');
    await temporary.writeMigration('20980101000000_loans', { sql: 'SELECT 1;\n', down: 'SELECT 2;\n' });
    expect(await write(temporary.project, true)).toEqual({ up: 'SELECT 1;\n', down: 'SELECT 2;\n' });
    const names = await readdir(temporary.project.migrations);
    expect(names.filter((name) => name.endsWith('_loans'))).toEqual(['20990304050607_loans']);
  });

  it.each(['Loans', 'a', 'two words', '../x'])('has a name that fits a folder: not %j', async (name) => {
    await using temporary = await TemporaryProject.create({ empty: true });
    const taken = takeMigrationFolder(temporary.project.migrations, { name, now, isLast: false });
    await expect(taken).rejects.toThrow(/name a migration in lower case/);
  });
});
