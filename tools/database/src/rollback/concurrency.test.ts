import { execute } from '@repo/postgres/database';
import { createTestDatabase } from '@repo/postgres/testing';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deploy } from '../deployment.ts';
import { codeOf } from '../errors.ts';
import { appliedTo, dumpOf, until } from '../fixtures/databases.ts';
import { BASE, MORE, openShop, writeShop } from '../fixtures/shop.ts';
import type { Shop } from '../fixtures/shop.ts';
import { repository } from '../fixtures/temporary-project.ts';
import { MIGRATION_LOCK } from '../migration-lock.ts';
import { readMigrations } from '../migrations.ts';
import { rollBack } from './roll-back.ts';

// Any number: a session that holds this lock stops a way back that asks for it, until it lets go.
const GATE = 4711;
const WAIT_AT_GATE = `SELECT pg_advisory_xact_lock(${GATE});`;
const SOMEONE_AT_GATE = `
  SELECT 1 FROM pg_locks
   WHERE locktype = 'advisory' AND objid = ${GATE} AND NOT granted
     AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`;

async function connected(url: string): Promise<Client & AsyncDisposable> {
  const client = new Client({ connectionString: url });
  await client.connect();
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.end() });
}

let deployed: Shop;

beforeAll(async () => {
  deployed = await openShop();
});

afterAll(() => deployed[Symbol.asyncDispose]());

describe('a rollback among others', () => {
  it('makes a deploy wait, which then applies again what was walked back', async () => {
    await using database = await deployed.clone();
    const { url } = database;
    await using shop = await writeShop(WAIT_AT_GATE + MORE.down);
    const before = await dumpOf(url);
    await using keeper = await connected(url);
    await keeper.query('SELECT pg_advisory_lock($1)', [GATE]);

    const rollback = rollBack({ url, migrations: shop.project.migrations });
    await until(url, SOMEONE_AT_GATE);
    const waits = Promise.withResolvers<string>();
    const deployment = deploy({ project: shop.project, url, output: 'keep', onWait: waits.resolve });
    expect(await waits.promise).toContain('application "daftari-migrate"');
    await keeper.query('SELECT pg_advisory_unlock($1)', [GATE]);

    expect((await rollback).steps).toHaveLength(1);
    expect(await deployment).toMatchObject({ exitCode: 0 });
    expect(await appliedTo(url)).toEqual([BASE.name, MORE.name]);
    expect(await dumpOf(url)).toBe(before);
  });

  it('waits for a deploy that is under way', async () => {
    await using database = await deployed.clone();
    const { url } = database;
    await using shop = await writeShop();
    await using deployer = await connected(url);
    await deployer.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]);
    const waiting = Promise.withResolvers<string>();
    const rollback = rollBack({
      url,
      migrations: shop.project.migrations,
      lock: { waitMilliseconds: 60_000, onWait: waiting.resolve },
    });
    await waiting.promise;
    expect(await appliedTo(url)).toHaveLength(2);
    await deployer.query('SELECT pg_advisory_unlock($1)', [MIGRATION_LOCK]);
    expect((await rollback).steps).toHaveLength(1);
  });

  it('gives up after the time it was given to wait', async () => {
    await using database = await createTestDatabase();
    await using deployer = await connected(database.url);
    await deployer.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]);
    const { migrations } = repository;
    await expect(
      rollBack({ url: database.url, migrations, lock: { waitMilliseconds: 0 } }),
    ).rejects.toMatchObject({ code: 'MIGRATIONS_LOCKED' });
  });

  it('keeps writers out from before it counts until it has ended, so that no acknowledged row is lost', async () => {
    await using database = await deployed.clone();
    const { url } = database;
    await using shop = await writeShop(WAIT_AT_GATE + MORE.down);
    await using keeper = await connected(url);
    await using writer = await connected(url);
    await keeper.query('SELECT pg_advisory_lock($1)', [GATE]);

    const rollback = rollBack({ url, migrations: shop.project.migrations });
    await until(url, SOMEONE_AT_GATE);
    const outcome = writer.query('INSERT INTO shop.orders (id) VALUES (1)').then(
      () => 'written',
      (error: unknown) => codeOf(error),
    );
    await until(url, `SELECT 1 FROM pg_locks WHERE relation = 'shop.orders'::regclass AND NOT granted`);
    await keeper.query('SELECT pg_advisory_unlock($1)', [GATE]);

    // The table is gone, with the one row that came with it, and the writer knows that its row was not written.
    expect((await rollback).losses).toEqual([]);
    expect(await outcome).toBe('42P01');
  });

  it.each([
    { when: 'during the rehearsal', turn: 1 },
    { when: 'after the rehearsal', turn: 2 },
  ])('drops no table that another session has made $when, unknown to it', async ({ turn }) => {
    await using database = await deployed.clone();
    const { url } = database;
    // A working table of the script's own is no reason to give up.
    const down = `CREATE TABLE shop.work AS SELECT 1; DROP TABLE shop.work; ${WAIT_AT_GATE} DROP SCHEMA extra CASCADE;`;
    await using shop = await writeShop(down);
    await execute(url, 'CREATE SCHEMA extra');
    await using keeper = await connected(url);
    await keeper.query('SELECT pg_advisory_lock($1)', [GATE]);
    const rollback = rollBack({ url, migrations: shop.project.migrations }).catch((error: unknown) => error);
    await until(url, SOMEONE_AT_GATE);
    for (let passed = 1; passed < turn; passed += 1) {
      // A session that asks for the lock while another waits for it gets it afterwards.
      await keeper.query('SELECT pg_advisory_unlock($1)', [GATE]);
      await keeper.query('SELECT pg_advisory_lock($1)', [GATE]);
      await until(url, SOMEONE_AT_GATE);
    }
    await execute(url, 'CREATE TABLE extra.mine AS SELECT 7 AS n');
    await keeper.query('SELECT pg_advisory_unlock($1)', [GATE]);

    expect(await rollback).toMatchObject({ code: 'SCHEMA_CHANGED' });
    expect(await execute(url, 'SELECT n FROM extra.mine')).toEqual([{ n: 7 }]);
    // With nobody else about, the same way back can be walked.
    await execute(url, 'DROP TABLE extra.mine');
    expect(await rollBack({ url, migrations: shop.project.migrations })).toMatchObject({ losses: [] });
  });

  it('gives up when a table stays in use, and leaves everything as it was', async () => {
    await using database = await createTestDatabase();
    const { url } = database;
    const { migrations } = repository;
    await using user = await connected(url);
    await user.query('BEGIN; LOCK TABLE core.wallets IN ROW EXCLUSIVE MODE');
    const names = (await readMigrations(migrations)).map(({ name }) => name);
    await expect(rollBack({ url, migrations, tableWaitMilliseconds: 50 })).rejects.toMatchObject({
      code: 'TABLES_BUSY',
    });
    expect(await appliedTo(url)).toEqual(names);
  });

  it('begins again when the server ends it to break a deadlock', async () => {
    await using database = await deployed.clone();
    const { url } = database;
    const second = 4712;
    await using shop = await writeShop(
      `${WAIT_AT_GATE} SELECT pg_advisory_xact_lock(${second}); ${MORE.down}`,
    );
    await using keeper = await connected(url);
    await using other = await connected(url);
    await keeper.query('SELECT pg_advisory_lock($1)', [GATE]);
    // The session that looks for a deadlock first is ended: not this one.
    await other.query(`SET deadlock_timeout = '1h'`);
    await other.query('BEGIN');
    await other.query('SELECT pg_advisory_xact_lock($1)', [second]);

    const rollback = rollBack({ url, migrations: shop.project.migrations });
    await until(url, SOMEONE_AT_GATE);
    const insertion = other.query('INSERT INTO shop.items (id) VALUES (1)');
    await until(url, `SELECT 1 FROM pg_locks WHERE relation = 'shop.items'::regclass AND NOT granted`);
    await keeper.query('SELECT pg_advisory_unlock($1)', [GATE]);
    await insertion;
    await other.query('ROLLBACK');

    expect((await rollback).steps).toHaveLength(1);
    expect(await appliedTo(url)).toEqual([BASE.name]);
  });

  it('leaves everything as it was when its connection is cut', async () => {
    await using database = await deployed.clone();
    const { url } = database;
    await using shop = await writeShop(WAIT_AT_GATE + MORE.down);
    const before = await dumpOf(url);
    await using keeper = await connected(url);
    await keeper.query('SELECT pg_advisory_lock($1)', [GATE]);
    const rollback = rollBack({ url, migrations: shop.project.migrations }).catch((error: unknown) => error);
    await until(url, SOMEONE_AT_GATE);
    await execute(
      url,
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE application_name = 'daftari-migrate' AND datname = current_database() AND wait_event_type = 'Lock'`,
    );
    expect(await rollback).toBeInstanceOf(Error);
    expect(await dumpOf(url)).toBe(before);
    expect(await appliedTo(url)).toHaveLength(2);
  });
});
