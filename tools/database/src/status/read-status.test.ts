import { execute } from '@repo/postgres/database';
import { startServer } from '@repo/postgres/server';
import { startStandby } from '@repo/postgres/standby';
import { createTestDatabase } from '@repo/postgres/testing';
import { describe, expect, it } from 'vitest';
import { numberOf } from '../fixtures/databases.ts';
import { moveMoney } from '../fixtures/money.ts';
import { TemporaryProject, repository } from '../fixtures/temporary-project.ts';
import { readMigrations } from '../migrations.ts';
import { rollBack } from '../rollback/roll-back.ts';
import { readStatus, renderStatus } from './read-status.ts';

const { migrations } = repository;

describe('the status of a database', () => {
  it('has every migration with its state, its time and how long it took', async () => {
    await using database = await createTestDatabase();
    const names = (await readMigrations(migrations)).map(({ name }) => name);
    await rollBack({ url: database.url, migrations });
    const status = await readStatus({ url: database.url, migrations });
    expect(status.migrations.map(({ name }) => name)).toEqual(names);
    for (const { state, at, milliseconds } of status.migrations.slice(0, -1)) {
      expect({ state, hasTime: at instanceof Date, hasDuration: (milliseconds ?? -1) >= 0 }).toEqual({
        state: 'applied',
        hasTime: true,
        hasDuration: true,
      });
    }
    expect(status.migrations.at(-1)).toMatchObject({ state: 'pending', at: undefined });
  });

  it('names a migration that is applied and not on disk', async () => {
    await using database = await createTestDatabase();
    await using temporary = await TemporaryProject.create();
    const [first] = await readMigrations(migrations);
    await temporary.remove(`migrations/${first?.name}`);
    const status = await readStatus({ url: database.url, migrations: temporary.project.migrations });
    expect(status.migrations[0]).toMatchObject({ name: first?.name, state: 'missing from disk' });
  });

  it('counts the rows of every table, and what waits for a person', async () => {
    await using database = await createTestDatabase();
    await moveMoney(database.url);
    // One of the two messages goes out, and its sender is never heard of again.
    await execute(database.url, `SELECT services.claim_sms('s', 'at', 1, 0, 86400000, NULL, NULL)`);
    await execute(database.url, 'SELECT services.expire_sms_leases(10)');
    const { tables, waiting } = await readStatus({ url: database.url, migrations });
    expect(tables.length).toBeGreaterThan(4);
    for (const { of, count } of tables) {
      expect({ of, count }).toEqual({
        of,
        count: String(await numberOf(database.url, `SELECT count(*) AS n FROM ${of}`)),
      });
    }
    expect(waiting).toContainEqual({ of: 'suspense balance', count: '100.00' });
    expect(waiting).toContainEqual({ of: 'SMS pending', count: '2' });
    expect(waiting).toContainEqual({ of: 'SMS of unknown outcome, to be decided on', count: '1' });
  });

  it('says that the balances add up to zero', async () => {
    await using database = await createTestDatabase();
    await moveMoney(database.url);
    const status = await readStatus({ url: database.url, migrations });
    expect(status.balances).toEqual([{ currency: 'KES', sum: '0.00', isZero: true }]);
    expect(renderStatus(status).at(-1)).toBe('The balances in KES add up to zero.');
  });

  it('says by how much they do not', async () => {
    await using database = await createTestDatabase();
    await moveMoney(database.url);
    await execute(
      database.url,
      `ALTER TABLE core.wallets DISABLE TRIGGER USER;
       UPDATE core.wallets SET balance = balance + 0.01 WHERE id = '2048173651'`,
    );
    const status = await readStatus({ url: database.url, migrations });
    expect(status.balances).toEqual([{ currency: 'KES', sum: '0.01', isZero: false }]);
    expect(renderStatus(status).at(-1)).toMatch(/^WRONG: .* add up to 0\.01/);
  });

  it('says what a server for tests would lose with the power', async () => {
    await using server = await startServer({ settings: { synchronous_commit: 'off', fsync: 'off' } });
    const status = await readStatus({ url: server.url, migrations });
    expect(renderStatus(status)[1]).toBe(
      'A primary. It would lose acknowledged payments with the power: fsync off, synchronous_commit off.',
    );
  });

  it('says that a server is a standby, and how late', async () => {
    await using primary = await startServer();
    await execute(primary.url, 'CREATE TABLE one ()');
    await using standby = await startStandby(primary);
    expect(renderStatus(await readStatus({ url: primary.url, migrations }))[1]).toBe('A primary.');
    expect(renderStatus(await readStatus({ url: standby.url, migrations }))[1]).toMatch(
      /^A standby; it (?:shows what was committed until [0-9-]{10} [0-9:]{8} UTC|has applied nothing since it started)\.$/,
    );
  });

  it('is short where nothing was ever deployed', async () => {
    await using database = await createTestDatabase({ empty: true });
    const {
      migrations: list,
      tables,
      waiting,
      balances,
    } = await readStatus({ url: database.url, migrations });
    expect(new Set(list.map(({ state }) => state))).toEqual(new Set(['pending']));
    expect([tables, waiting, balances]).toEqual([[], [], []]);
  });
});
