import { execute } from '@repo/postgres/database';
import { Client } from 'pg';
import { describe, expect, it } from 'vitest';
import { DatabaseOwner } from './fixtures/database-owner.ts';
import { EngineClient, applyInput, deployMigrations } from './fixtures/engine-client.ts';
import { PrismaProject } from './fixtures/prisma-project.ts';

const TABLE = 'CREATE TABLE wallet (id INT PRIMARY KEY, name TEXT);';

describe('migrate deploy', () => {
  it('applies each pending migration once, and status then says so', async () => {
    await using owner = await DatabaseOwner.create();
    const databaseUrl = await owner.createDatabase();
    await using project = await PrismaProject.create({
      databaseUrl,
      migrations: { '20240101000000_one': TABLE },
    });

    const pending = await project.prisma('migrate', 'status');
    expect(pending.output).toContain('20240101000000_one');
    expect(pending.exitCode).toBe(1);

    await project.succeed('migrate', 'deploy');
    await execute(databaseUrl, `INSERT INTO wallet VALUES (1, 'kept')`);
    expect((await project.prisma('migrate', 'deploy')).output).toContain('No pending migrations to apply');
    expect((await project.prisma('migrate', 'status')).output).toContain('Database schema is up to date');
    expect(await execute(databaseUrl, 'SELECT name FROM wallet')).toEqual([{ name: 'kept' }]);
  });

  it('runs function bodies, DO blocks, comments and strings with semicolons as they stand', async () => {
    await using owner = await DatabaseOwner.create();
    const databaseUrl = await owner.createDatabase();
    const script = `
      ${TABLE} -- a comment; with a semicolon and a ' quote
      CREATE FUNCTION three() RETURNS int LANGUAGE plpgsql AS $$
      BEGIN PERFORM 1; PERFORM 2; RETURN 3; END $$;
      DO $body$ BEGIN INSERT INTO wallet VALUES (three(), 'do; it''s'); END $body$;
      INSERT INTO wallet VALUES (4, $x$a;$$;b$x$), (5, E'\\';'); /* and; another */`;
    await deployMigrations(databaseUrl, { '20240101000000_all': script });
    expect(await execute(databaseUrl, 'SELECT id, name FROM wallet ORDER BY id')).toEqual([
      { id: 3, name: `do; it's` },
      { id: 4, name: 'a;$$;b' },
      { id: 5, name: `';` },
    ]);
  });

  it('gives up a lock after the time that a migration sets for itself, and for itself alone', async () => {
    await using owner = await DatabaseOwner.create();
    const databaseUrl = await owner.createDatabase();
    await using engine = EngineClient.on(databaseUrl);
    const first = {
      '20240101000000_limited': `SET LOCAL lock_timeout = '50ms'; ${TABLE}`,
      '20240102000000_after': `CREATE TABLE seen AS SELECT current_setting('lock_timeout') AS value;`,
    };
    const blocked = {
      '20240103000000_blocked': `SET LOCAL lock_timeout = '50ms'; ALTER TABLE wallet ADD x INT;`,
    };
    await engine.call('applyMigrations', applyInput(first));

    const holder = new Client({ connectionString: databaseUrl });
    await holder.connect();
    await holder.query('BEGIN; LOCK TABLE wallet');
    const { failure } = await engine.call('applyMigrations', applyInput({ ...first, ...blocked }));
    await holder.end();

    expect(failure).toMatchObject({ error_code: 'P3018', meta: { database_error_code: '55P03' } });
    expect(await execute(databaseUrl, 'SELECT value FROM seen')).toEqual([{ value: '0' }]);
  });
});

describe('what one migration sets in its session', () => {
  const probe = `SELECT current_user AS role, current_setting('TimeZone') AS zone, current_setting('search_path') AS path,
    current_setting('standard_conforming_strings') AS strings, current_setting('DateStyle') AS dates,
    current_setting('my.own', true) AS own, to_regclass('pg_temp.scratch') IS NOT NULL AS temporary,
    (SELECT count(*) FROM pg_prepared_statements) AS prepared, (SELECT count(*) FROM pg_listening_channels()) AS heard`;
  const sets = `SET TimeZone = 'Africa/Nairobi'; SET search_path = pg_catalog; SET standard_conforming_strings = off;
    SET DateStyle = 'German'; SET my.own = 'x'; CREATE TEMP TABLE scratch (); PREPARE one AS SELECT 1;
    LISTEN news; DECLARE c CURSOR WITH HOLD FOR SELECT 1; SET ROLE pg_read_all_data;`;

  it('does not reach the next one', async () => {
    await using owner = await DatabaseOwner.create();
    const databaseUrl = await owner.createDatabase();
    await owner.asAdministrator(`GRANT pg_read_all_data TO ${owner.name}`);
    const migrations = {
      '20240101000000_before': `CREATE TABLE seen AS ${probe};`,
      '20240102000000_sets': sets,
      '20240103000000_after': `INSERT INTO seen ${probe};`,
    };
    await deployMigrations(databaseUrl, migrations);
    const [before, after] = await execute(databaseUrl, 'SELECT * FROM seen');
    expect(before).toMatchObject({ role: owner.name, own: null, temporary: false });
    // A setting of one's own is empty rather than unknown once it has been reset.
    expect({ ...after, own: after?.['own'] || null }).toEqual(before);
  });

  it('does not keep a failure from being recorded', async () => {
    await using owner = await DatabaseOwner.create();
    const databaseUrl = await owner.createDatabase();
    await owner.asAdministrator(`GRANT pg_read_all_data TO ${owner.name}`);
    const broken = { '20240101000000_broken': `BEGIN; ${sets} COMMIT; SELECT missing();` };
    expect((await deployMigrations(databaseUrl, broken)).failure?.error_code).toBe('P3018');
    const [attempt] = await execute(databaseUrl, 'SELECT logs FROM public._prisma_migrations');
    expect(attempt?.['logs']).toContain('missing()');
  });
});

describe('three deployers at once', () => {
  const migrations = {
    '20240101000000_table': `${TABLE} SELECT pg_sleep(0.3);`,
    '20240102000000_rows': 'INSERT INTO wallet SELECT n, n::text FROM generate_series(1, 1000) AS n;',
  };
  const concurrently = {
    ...migrations,
    '20240103000000_index': 'CREATE INDEX CONCURRENTLY wallet_name ON wallet (name);',
    '20240104000000_more': 'INSERT INTO wallet VALUES (1001, NULL);',
  };

  async function deployThrice(databaseUrl: string, set: Record<string, string>): Promise<void> {
    const deployed = await Promise.all([1, 2, 3].map(() => deployMigrations(databaseUrl, set)));
    expect(deployed.map(({ failure }) => failure)).toEqual(Array(3).fill(undefined));
    await expectHistory(databaseUrl, Object.keys(set));
  }

  async function expectHistory(databaseUrl: string, names: string[], schema = 'public'): Promise<void> {
    const history = await execute(
      databaseUrl,
      `SELECT migration_name AS name FROM ${schema}._prisma_migrations ORDER BY started_at`,
    );
    expect(history.map(({ name }) => name)).toEqual(names);
  }

  it('all succeed and apply each migration once', async () => {
    await using owner = await DatabaseOwner.create();
    await deployThrice(await owner.createDatabase(), migrations);
  });

  it('all succeed with CREATE INDEX CONCURRENTLY among the migrations, and the index is valid', async () => {
    await using owner = await DatabaseOwner.create();
    const databaseUrl = await owner.createDatabase();
    await deployThrice(databaseUrl, concurrently);
    const indexes = await execute(
      databaseUrl,
      `SELECT indisvalid FROM pg_index WHERE indexrelid = 'wallet_name'::regclass`,
    );
    expect(indexes).toEqual([{ indisvalid: true }]);
  });

  it('all succeed when neither the database nor the schema of the connection string exists yet', async () => {
    await using owner = await DatabaseOwner.create();
    const name = owner.databaseName('new');
    const databaseUrl = `${owner.url(name)}?schema=own`;
    await using project = await PrismaProject.create({ databaseUrl, migrations });
    const deployed = await Promise.all([1, 2, 3].map(() => project.prisma('migrate', 'deploy')));
    expect(deployed.map(({ exitCode, output }) => (exitCode === 0 ? 'applied' : output))).toEqual(
      Array(3).fill('applied'),
    );
    await expectHistory(databaseUrl, Object.keys(migrations), 'own');
    expect(await owner.databases()).toEqual([name]);
    expect(await execute(owner.url(name), 'SELECT count(*) AS rows FROM own.wallet')).toEqual([
      { rows: '1000' },
    ]);
  });
});
