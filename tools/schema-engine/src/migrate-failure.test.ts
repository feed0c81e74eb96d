import { execute } from '@repo/postgres/database';
import { describe, expect, it } from 'vitest';
import { DatabaseOwner } from './fixtures/database-owner.ts';
import { EngineClient, applyInput, deployMigrations } from './fixtures/engine-client.ts';
import { PrismaProject } from './fixtures/prisma-project.ts';

const BROKEN = `CREATE TABLE half (id INT);
INSERT INTO half VALUES (1);

INSERT INTO missing VALUES ('ü');
SELECT 1;`;

/** Says whether the table that the failing migrations begin with is there. */
const HALF = `SELECT to_regclass('half') AS half`;

describe('a migration that fails', () => {
  it('leaves nothing behind, is reported with its place, blocks the next deploy, and can be resolved', async () => {
    await using owner = await DatabaseOwner.create();
    const databaseUrl = await owner.createDatabase();
    await using project = await PrismaProject.create({
      databaseUrl,
      migrations: { '20240101000000_broken': BROKEN },
    });

    const failed = await project.prisma('migrate', 'deploy');
    expect(failed.exitCode).toBe(1);
    for (const part of [
      'P3018',
      'Migration name: 20240101000000_broken',
      'Database error code: 42P01',
      'relation "missing" does not exist',
      'Position: line 4, column 13',
      `>    4 | INSERT INTO missing VALUES ('ü');`,
      '     5 | SELECT 1;',
    ]) {
      expect(failed.output).toContain(part);
    }
    expect(await execute(databaseUrl, HALF)).toEqual([{ half: null }]);

    const { failure: blocked } = await deployMigrations(databaseUrl, { '20240101000000_broken': BROKEN });
    expect(blocked).toMatchObject({
      error_code: 'P3009',
      message: expect.stringContaining('20240101000000_broken'),
    });
    expect((await project.prisma('migrate', 'status')).output).toContain('20240101000000_broken');

    const resolved = await project.prisma('migrate', 'resolve', '--rolled-back', '20240101000000_broken');
    expect(resolved.exitCode).toBe(0);
    await project.writeMigration(
      '20240101000000_broken',
      BROKEN.replace('missing', 'half').replace(`'ü'`, '2'),
    );
    expect((await project.prisma('migrate', 'deploy')).exitCode).toBe(0);
    expect(await execute(databaseUrl, 'SELECT id FROM half')).toEqual([{ id: 1 }, { id: 2 }]);
  });

  it('is reported with the detail, the hint and the line inside a function that the server gives', async () => {
    await using owner = await DatabaseOwner.create();
    const databaseUrl = await owner.createDatabase();
    const raise = `DO $$ BEGIN
      RAISE 'no' USING DETAIL = 'a detail', HINT = 'a hint', ERRCODE = 'DF001'; END $$;`;
    const { failure } = await deployMigrations(databaseUrl, { '20240101000000_raise': raise });
    for (const part of [
      'code: DF001',
      'DETAIL: a detail',
      'HINT: a hint',
      'inline_code_block line 2 at RAISE',
    ]) {
      expect(failure?.message).toContain(part);
    }
    const [row] = await execute(databaseUrl, 'SELECT logs FROM _prisma_migrations');
    expect(row?.['logs']).toContain('(SQLSTATE DF001)');
  });

  it('is named rightly when an earlier one has the same text', async () => {
    await using owner = await DatabaseOwner.create();
    await using engine = EngineClient.on(await owner.createDatabase());
    const once = 'CREATE TABLE half (id INT);';
    const twice = applyInput({ '20240101000000_first': once, '20240102000000_again': once });
    const { failure } = await engine.call('applyMigrations', twice);
    expect(failure?.meta).toMatchObject({
      migration_name: '20240102000000_again',
      database_error_code: '42P07',
    });
  });

  it('because it leaves a transaction open is rolled back and reported, and recorded as failed', async () => {
    await using owner = await DatabaseOwner.create();
    const databaseUrl = await owner.createDatabase();
    await using engine = EngineClient.on(databaseUrl);
    const open = applyInput({ '20240101000000_open': 'BEGIN; CREATE TABLE half (id INT);' });

    const { failure } = await engine.call('applyMigrations', open);
    expect(failure).toMatchObject({ error_code: 'P3018', message: expect.stringContaining('Remove BEGIN') });
    expect(await execute(databaseUrl, HALF)).toEqual([{ half: null }]);
    expect((await engine.call('applyMigrations', open)).failure?.error_code).toBe('P3009');
  });

  it('because its own transaction failed before its COMMIT is recorded as failed', async () => {
    await using owner = await DatabaseOwner.create();
    const databaseUrl = await owner.createDatabase();
    await using engine = EngineClient.on(databaseUrl);
    const own = applyInput({
      '20240101000000_own': 'BEGIN; CREATE TABLE half (id INT); SELECT 1 / 0; COMMIT;',
    });

    expect((await engine.call('applyMigrations', own)).failure).toMatchObject({
      error_code: 'P3018',
      meta: { database_error_code: '22012' },
    });
    expect(await execute(databaseUrl, HALF)).toEqual([{ half: null }]);
    expect((await engine.call('applyMigrations', own)).failure?.error_code).toBe('P3009');
  });

  it('because the connection is cut ends with a message that says so, and leaves nothing behind', async () => {
    await using owner = await DatabaseOwner.create();
    const databaseUrl = await owner.createDatabase();
    const cut = `CREATE TABLE half (id INT); SELECT pg_terminate_backend(pg_backend_pid());`;
    const { failure } = await deployMigrations(databaseUrl, { '20240101000000_cut': cut });
    expect(failure?.message).toContain('Migration name: 20240101000000_cut');
    expect(failure?.message).toContain('The connection to the database server');
    expect(await execute(databaseUrl, HALF)).toEqual([{ half: null }]);
  });
});

describe('a script that no server could read', () => {
  /** Files that an editor or a checkout can leave, as the CLI reads them. */
  it.each([
    ['a byte order mark', Buffer.from('\uFEFFSELECT 1;', 'utf8'), 'begins with a byte order mark'],
    ['UTF-16', Buffer.from('\uFEFFSELECT 1;', 'utf16le'), 'is in UTF-16'],
    ['UTF-16 without a mark', Buffer.from('SELECT 1;', 'utf16le'), 'is in UTF-16'],
    ['Latin-1', Buffer.from('SELECT 1;\n-- café', 'latin1'), 'is not in UTF-8 (line 2), perhaps in Latin-1'],
    ['nothing', Buffer.alloc(0), 'is empty'],
    ['blanks', Buffer.from(' \n\t\n'), 'is empty'],
  ])('ends the deployment before anything has begun: %s', async (_, bytes, fault) => {
    await using owner = await DatabaseOwner.create();
    const databaseUrl = await owner.createDatabase();
    const { failure } = await deployMigrations(databaseUrl, {
      '20240101000000_one': 'CREATE TABLE half (id INT);',
      '20240102000000_two': bytes.toString('utf8'),
    });
    expect(failure?.message).toContain(`20240102000000_two/migration.sql ${fault}`);
    expect(await execute(databaseUrl, HALF)).toEqual([{ half: null }]);
  });
});

describe('a migration folder without a file', () => {
  it('is named (P3015)', async () => {
    await using owner = await DatabaseOwner.create();
    await using project = await PrismaProject.create({ databaseUrl: await owner.createDatabase() });
    await project.write('prisma/migrations/20240101000000_empty/notes.txt', '');
    const { output, exitCode } = await project.prisma('migrate', 'deploy');
    expect(output).toContain('P3015');
    expect(output).toContain('20240101000000_empty');
    expect(exitCode).toBe(1);
  });
});

describe('migrate resolve', () => {
  it('--applied takes the history of a database that was there before', async () => {
    await using owner = await DatabaseOwner.create();
    const databaseUrl = await owner.createDatabase();
    await execute(databaseUrl, 'CREATE TABLE wallet (id INT PRIMARY KEY)');
    const migrations = { '20240101000000_base': 'CREATE TABLE wallet (id INT PRIMARY KEY);' };
    await using project = await PrismaProject.create({ databaseUrl, migrations });

    const blocked = await deployMigrations(databaseUrl, migrations);
    expect(blocked.failure?.error_code).toBe('P3005');
    expect(await project.prisma('migrate', 'resolve', '--applied', '20240101000000_base')).toMatchObject({
      exitCode: 0,
    });
    expect((await deployMigrations(databaseUrl, migrations)).result).toEqual({ appliedMigrationNames: [] });
  });
});
