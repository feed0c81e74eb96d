import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execute } from '@repo/postgres/database';
import { Client } from 'pg';
import { describe, expect, it } from 'vitest';
import { DatabaseOwner } from '../fixtures/database-owner.ts';
import { EngineClient, NO_FILTERS, applyInput } from '../fixtures/engine-client.ts';

const TABLE = { '20240101000000_table': 'CREATE TABLE wallet (id INT);' };

describe('the engine over JSON-RPC', () => {
  it('answers requests one after the other until its input ends', async () => {
    await using owner = await DatabaseOwner.create();
    const databaseUrl = await owner.createDatabase();
    await using engine = EngineClient.on(databaseUrl);
    expect((await engine.call('getDatabaseVersion')).result).toContain('PostgreSQL');
    expect((await engine.call('applyMigrations', applyInput(TABLE))).result).toEqual({
      appliedMigrationNames: Object.keys(TABLE),
    });
    expect((await engine.call('reset', { filter: NO_FILTERS })).result).toBeNull();
    expect(await execute(databaseUrl, `SELECT to_regclass('wallet') AS wallet`)).toEqual([{ wallet: null }]);
  });

  it('answers an unknown method with an error', async () => {
    await using engine = new EngineClient([]);
    expect((await engine.call('noSuchMethod')).failure).toMatchObject({
      is_panic: false,
      message: expect.stringContaining('noSuchMethod'),
    });
  });

  it('creates the database when asked, also when it is there', async () => {
    await using owner = await DatabaseOwner.create();
    const name = owner.databaseName('new');
    await using engine = EngineClient.on(owner.url(name));
    expect((await engine.call('createDatabase', {})).result).toEqual({ databaseName: name });
    expect((await engine.call('createDatabase', {})).result).toEqual({ databaseName: name });
    expect(await owner.databases()).toEqual([name]);
  });

  it('reports a panic of the WebAssembly module as one, for that request and those after it', async () => {
    await using engine = new EngineClient([]);
    expect((await engine.call('debugPanic')).failure).toMatchObject({
      is_panic: true,
      message: expect.stringContaining('panic'),
    });
    expect((await engine.call('getDatabaseVersion')).failure).toMatchObject({ is_panic: true });
  });

  it('does not take a history that it may not read for an empty one', async () => {
    await using owner = await DatabaseOwner.create();
    const databaseUrl = await owner.createDatabase();
    await using engine = EngineClient.on(databaseUrl);
    await engine.call('applyMigrations', applyInput(TABLE));
    await execute(databaseUrl, `REVOKE ALL ON _prisma_migrations FROM ${owner.name}`);

    const { failure } = await engine.call('diagnoseMigrationHistory', {
      ...applyInput(TABLE),
      optInToShadowDatabase: false,
    });
    expect(failure?.message).toContain('permission denied for table _prisma_migrations');
  });

  it('applies a migration made from a dump, which empties the search path', async () => {
    await using owner = await DatabaseOwner.create();
    await using engine = EngineClient.on(await owner.createDatabase());
    const dump = `SELECT pg_catalog.set_config('search_path', '', false); CREATE TABLE public.wallet (id INT);`;
    const migrations = { '20240101000000_dump': dump, '20240102000000_next': 'CREATE TABLE next (id INT);' };
    expect((await engine.call('applyMigrations', applyInput(migrations))).result).toEqual({
      appliedMigrationNames: Object.keys(migrations),
    });
  });

  it('reads times in the history right whatever the time zone and date style of the session', async () => {
    await using owner = await DatabaseOwner.create();
    const databaseUrl = await owner.createDatabase();
    // Of this database alone: what a role has in all of them is what db:verify finds in those of other tests.
    const session = `ALTER ROLE ${owner.name} IN DATABASE ${owner.databaseName('main')} SET`;
    await owner.asAdministrator(
      `${session} timezone = 'Africa/Nairobi'; ${session} datestyle = 'German, DMY'`,
    );
    await using engine = EngineClient.on(databaseUrl);
    await engine.call('applyMigrations', applyInput({ '20240101000000_broken': 'SELECT missing()' }));
    const { failure } = await engine.call('applyMigrations', applyInput(TABLE));

    const [row] = await execute(
      databaseUrl,
      `SELECT to_char(started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') AS utc,
        now() - started_at BETWEEN interval '0' AND interval '1 hour' AS recent FROM _prisma_migrations`,
    );
    expect(failure).toMatchObject({
      error_code: 'P3009',
      message: expect.stringContaining(String(row?.['utc'])),
    });
    expect(row?.['recent']).toBe(true);
  });
});

describe('the migration lock', () => {
  it('is given up after ten seconds with P1002, and not asked for where the operator has switched it off', async () => {
    await using owner = await DatabaseOwner.create();
    const databaseUrl = await owner.createDatabase();
    const holder = new Client({ connectionString: databaseUrl });
    await holder.connect();
    await holder.query('SELECT pg_advisory_lock(72707369)');

    await using engine = EngineClient.on(databaseUrl);
    const refused = engine.call('applyMigrations', applyInput(TABLE));
    await using unlocked = EngineClient.on(databaseUrl, { PRISMA_SCHEMA_DISABLE_ADVISORY_LOCK: '1' });
    const allowed = await unlocked.call('applyMigrations', applyInput(TABLE));
    expect(allowed.result).toEqual({ appliedMigrationNames: Object.keys(TABLE) });
    expect((await refused).failure).toMatchObject({ error_code: 'P1002' });
    await holder.end();
  });
});

describe('the trace', () => {
  it('shows what was asked and run, and holds no password', async () => {
    await using owner = await DatabaseOwner.create();
    const folder = await mkdtemp(join(tmpdir(), 'engine-trace-'));
    const file = join(folder, 'engine.log');
    const databaseUrl = new URL(await owner.createDatabase());
    await using engine = EngineClient.on(databaseUrl.href, { SCHEMA_ENGINE_LOG: file });
    await engine.call('applyMigrations', applyInput(TABLE));
    await engine.call('dbExecute', { script: `SELECT '${databaseUrl.href}'::int` });

    const trace = await readFile(file, 'utf8');
    await rm(folder, { recursive: true });
    expect(trace).toContain('request applyMigrations');
    expect(trace).toContain('CREATE TABLE wallet (id INT);');
    expect(trace).not.toContain(`:${databaseUrl.password}@`);
  });
});
