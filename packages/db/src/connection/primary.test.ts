import { execute } from '@repo/postgres/database';
import { startDatabaseProxy } from '@repo/postgres/proxy';
import { startServer } from '@repo/postgres/server';
import type { Server } from '@repo/postgres/server';
import { startStandby } from '@repo/postgres/standby';
import type { Standby } from '@repo/postgres/standby';
import { shared } from '@repo/testing/shared';
import { until } from '@repo/testing/until';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createDb } from './db.ts';
import type { Db, DbOptions } from './db.ts';
import { createDepositIntake } from '../deposits/deposit-intake.ts';
import { recordDeposit } from '../deposits/record-deposits.ts';
import { isDaftariError } from '../errors.ts';
import { hold } from '../ledger/holds.ts';
import { transfer } from '../ledger/transfers.ts';
import { migrate } from '../testing/database/migrate.ts';
import { openCustomer } from '../testing/database/wallet-fixtures.ts';
import { sampleDeposit } from '../testing/deposits/sample-deposit.ts';

const coded = (code: string, words = '') =>
  expect.objectContaining({ name: 'DaftariError', code, message: expect.stringContaining(words) });

function open(options: DbOptions): Db {
  const db = createDb(options);
  onTestFinished(() => db.close());
  return db;
}

/** One connection string for several servers that have the same password. */
function listOf(...urls: readonly string[]): string {
  const [first = '', ...others] = urls;
  const { host, username, password } = new URL(first);
  const hosts = [host, ...others.map((url) => new URL(url).host)].join(',');
  return `postgresql://${username}:${password}@${hosts}/postgres?target_session_attrs=read-write`;
}

const PORT = { name: 'test_port', text: 'SELECT inet_server_port()::text AS port' };

const portOf = async (db: Db): Promise<unknown> => (await db.run(PORT, []))[0];

const withParameter = (url: string, setting: string): string =>
  `${url}?options=${encodeURIComponent(`-c ${setting}`)}`;

interface Pair extends AsyncDisposable {
  readonly primary: Server;
  readonly standby: Standby;
}

async function startPair({ isSynchronous }: { readonly isSynchronous: boolean }): Promise<Pair> {
  await using resources = new AsyncDisposableStack();
  const primary = resources.use(await startServer({ durable: false }));
  if (isSynchronous) await migrate(primary.url);
  const standby = resources.use(await startStandby(primary, { durable: false, isSynchronous }));
  const kept = resources.move();
  return { primary, standby, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

/** A primary that waits for its standby, with our tables. */
const startMigratedPair = (): Promise<Pair> => startPair({ isSynchronous: true });

/** What a server does with its data can be changed while it runs: one that keeps all of it serves several tests. */
const durable = shared(() => startServer());

async function alter(change: string, isSet: string): Promise<void> {
  await execute(durable.url, `ALTER SYSTEM ${change}`);
  await execute(durable.url, 'SELECT pg_reload_conf()');
  await until(`${change} to be in force`, async () => (await execute(durable.url, isSet))[0]?.['it']);
}

test.for(['fsync', 'full_page_writes'])(
  'a server without %s is refused, and why is said',
  async (setting) => {
    await alter(`SET ${setting} = off`, `SELECT current_setting('${setting}') = 'off' AS it`);
    onTestFinished(() => alter(`RESET ${setting}`, `SELECT current_setting('${setting}') = 'on' AS it`));
    const db = open({ url: durable.url });
    const refusal = coded('database_not_durable', `${setting} is off`);
    await expect(db.run(PORT, [])).rejects.toThrow(refusal);
    await expect(db.prisma.$queryRaw`SELECT 1`).rejects.toMatchObject({ code: 'database_not_durable' });
    await expect(db.checkServer()).rejects.toThrow(refusal);
    await expect(db.connect?.()).rejects.toThrow(refusal);
  },
);

test('a session that would not wait for its commits is refused, wherever that was set', async () => {
  const { url } = durable;
  for (const value of ['off', 'local', 'remote_write']) {
    const refusal = coded('database_not_durable', `synchronous_commit is ${value}`);
    const set = withParameter(url, `synchronous_commit=${value}`);
    await expect(open({ url: set }).checkServer()).rejects.toThrow(refusal);
    await execute(url, `ALTER ROLE postgres SET synchronous_commit = ${value}`);
    await expect(open({ url }).checkServer()).rejects.toThrow(refusal);
    await execute(url, 'ALTER ROLE postgres RESET synchronous_commit');
    await execute(url, `ALTER DATABASE postgres SET synchronous_commit = ${value}`);
    await expect(open({ url }).checkServer()).rejects.toThrow(refusal);
    await execute(url, 'ALTER DATABASE postgres RESET synchronous_commit');
  }
  for (const value of ['on', 'remote_apply']) {
    const set = withParameter(url, `synchronous_commit=${value}`);
    await expect(open({ url: set }).checkServer()).resolves.toBeUndefined();
  }
});

test('a setting that is lowered while a service runs is found by the next check', async () => {
  const db = open({ url: durable.url, maxConnections: 1 });
  await db.checkServer();
  await execute(durable.url, 'ALTER SYSTEM SET full_page_writes = off');
  await execute(durable.url, 'SELECT pg_reload_conf()');
  onTestFinished(() =>
    alter('RESET full_page_writes', `SELECT current_setting('full_page_writes') = 'on' AS it`),
  );
  await until('the check refuses the server', () =>
    db.checkServer().then(
      () => false,
      (error: unknown) => isDaftariError(error) && error.code === 'database_not_durable',
    ),
  );
});

/** The tests that need a primary and a standby as they are come before the one that has them change places. */
const pair = shared(() => startPair({ isSynchronous: false }));

test('a server that says that it may be thrown away is not asked to keep anything', async () => {
  await expect(open({ url: pair.primary.url }).checkServer()).resolves.toBeUndefined();
});

test('a standby decides over no money, also where only it is named; for reports it is good enough', async () => {
  const { primary, standby } = pair;
  const refusal = coded('database_not_primary');
  const db = open({ url: standby.url });
  await expect(db.run(PORT, [])).rejects.toThrow(refusal);
  await expect(db.checkServer()).rejects.toThrow(refusal);
  expect(await portOf(open({ url: standby.url, readsOnly: true }))).toEqual({ port: String(standby.port) });
  expect(await portOf(open({ url: listOf(standby.url, primary.url) }))).toEqual({
    port: String(primary.port),
  });
  const reports = `${listOf(primary.url, standby.url).split('?')[0]}?target_session_attrs=standby`;
  expect(await portOf(open({ url: reports, readsOnly: true }))).toEqual({ port: String(standby.port) });
  expect(() => createDb({ url: reports })).toThrow('target_session_attrs is standby');
});

test('a primary that takes no writes any longer is left, with every connection to it', async () => {
  const { primary: first, standby: second } = pair;
  const db = open({ url: listOf(first.url, second.url), maxConnections: 3 });
  const ports = await Promise.all([portOf(db), portOf(db), portOf(db)]);
  expect(new Set(ports.map((port) => JSON.stringify(port))).size).toBe(1);
  await second.promote();
  await execute(first.url, 'ALTER SYSTEM SET default_transaction_read_only = on');
  await execute(first.url, 'SELECT pg_reload_conf()');
  const write = { name: 'test_write', text: 'CREATE TABLE written ()' };
  await until('the first server refuses writes', async () => {
    const [row] = await execute(first.url, `SELECT current_setting('transaction_read_only') AS it`);
    return row?.['it'] === 'on';
  });
  // The sessions of the pool learn of it a moment later: the table may get into the server that is being left.
  await until('a write that goes to the second server', async () => {
    await db.run(write, []).catch((error: unknown) => {
      expect(error).toEqual(expect.objectContaining({ name: 'DaftariError' }));
    });
    const [row] = await execute(second.url, `SELECT to_regclass('written') IS NOT NULL AS there`);
    return row?.['there'] === true;
  });
  const after = await Promise.all([portOf(db), portOf(db), portOf(db)]);
  expect(after).toEqual(after.map(() => ({ port: String(second.port) })));
});

test('a primary that says nothing any more is left as soon as another one leads, and not before', async () => {
  await using own = await startPair({ isSynchronous: false });
  const { primary, standby } = own;
  await using proxy = await startDatabaseProxy(primary.url);
  // So far below a test's patience that only the pool's own doubt can end the wait.
  const db = open({ url: listOf(proxy.url, standby.url), maxConnections: 2, statementTimeoutMs: 500_000 });
  expect(await portOf(db)).toEqual({ port: String(primary.port) });
  proxy.swallow();
  let answered = false;
  const silent = portOf(db).catch((error: unknown) => error);
  void silent.then(() => (answered = true));
  const asked = proxy.connections;
  await until('the pool has asked whether another leads, twice', () => proxy.connections >= asked + 2);
  expect(answered).toBe(false);
  await standby.promote();
  expect(await silent).toEqual(coded('outcome_unknown'));
  expect(await portOf(db)).toEqual({ port: String(standby.port) });
});

test('when the primary is killed under load, the pool finds the new one, and no acknowledged deposit is gone', async () => {
  await using own = await startMigratedPair();
  const { primary, standby } = own;
  const db = open({ url: listOf(primary.url, standby.url) });
  const intake = createDepositIntake(db);
  const acknowledged: string[] = [];
  const ended = new AbortController();
  const pay = async (sender: number): Promise<void> => {
    for (let i = 0; !ended.signal.aborted; i += 1) {
      const receipt = `F${sender.toString(36)}${i.toString(36).padStart(7, '0')}`.toUpperCase();
      const answer = await intake.record(sampleDeposit({ receipt })).catch((error: unknown) => error);
      if (!(answer instanceof Error)) acknowledged.push(receipt);
    }
  };
  const paying = Promise.all(Array.from({ length: 20 }, (_, sender) => pay(sender + 36)));
  await until('deposits before the failover', () => acknowledged.length > 200);
  await primary.kill();
  const before = acknowledged.length;
  await standby.promote();
  await execute(standby.url, `ALTER SYSTEM SET synchronous_standby_names = ''`);
  await execute(standby.url, 'SELECT pg_reload_conf()');
  await until('deposits after the failover', () => acknowledged.length > before + 200);
  ended.abort();
  await paying;
  await intake.close();
  const rows = await execute(
    standby.url,
    `SELECT (SELECT count(*)::int FROM core.transactions WHERE reference = ANY ('{${acknowledged.join(',')}}')) AS kept,
            (SELECT sum(balance)::text FROM core.wallets) AS sum`,
  );
  expect(rows).toEqual([{ kept: acknowledged.length, sum: '0.00' }]);
});

interface Wallets {
  readonly from: string;
  readonly to: string;
}

const REPEATED: readonly (readonly [string, (db: Db, wallets: Wallets) => Promise<unknown>])[] = [
  ['transfer', (db, both) => transfer(db, { ...both, amount: '10.00', idempotencyKey: 'unconfirmed-1' })],
  [
    'transfer that is refused for its amount',
    (db, both) => transfer(db, { ...both, amount: '900000.00', idempotencyKey: 'unconfirmed-2' }),
  ],
  ['hold', (db, { from }) => hold(db, { wallet: from, amount: '10.00', idempotencyKey: 'unconfirmed-3' })],
  ['deposit', (db, { to }) => recordDeposit(db, sampleDeposit({ receipt: 'UNCONFIRM2', account: to }))],
];

interface Alone extends Pair, Wallets {
  readonly db: Db;
}

describe('when the standby that each commit waits for is gone', () => {
  const alone = shared(async (): Promise<Alone> => {
    await using resources = new AsyncDisposableStack();
    const { primary, standby } = resources.use(await startMigratedPair());
    const db = createDb({ url: primary.url });
    resources.defer(() => db.close());
    const from = await openCustomer(db);
    const to = await openCustomer(db);
    await recordDeposit(db, sampleDeposit({ receipt: 'UNCONFIRM0', account: from, amount: '500.00' }));
    await standby.kill();
    const kept = resources.move();
    return { primary, standby, db, from, to, [Symbol.asyncDispose]: () => kept.disposeAsync() };
  });

  test.each(REPEATED)(
    'a repeated %s whose first commit the standby may not have is not answered before the standby has it',
    async (_name, ask) => {
      const { primary, db, from, to } = alone;
      for (const attempt of ['the first', 'its repeat', 'the next repeat']) {
        let ended = false;
        const answer = ask(db, { from, to })
          .catch((error: unknown) => error)
          .finally(() => (ended = true));
        await until('a commit waits for the standby', async () => (await cancelOne(primary)) || ended);
        expect(await answer, attempt).toEqual(coded('outcome_unknown'));
      }
    },
  );

  test('a commit whose wait for the standby is cancelled is of unknown outcome, though it can be seen', async () => {
    const { primary, db } = alone;
    const receipt = 'UNCONFIRM1';
    const recording = recordDeposit(db, sampleDeposit({ receipt })).catch((error: unknown) => error);
    await until('the commit waits for the standby', () => cancelOne(primary));
    expect(await recording).toEqual(coded('outcome_unknown', 'a failover may still undo'));
    const [seen] = await execute(
      primary.url,
      `SELECT count(*)::int AS n FROM core.transactions WHERE reference = '${receipt}'`,
    );
    expect(seen).toEqual({ n: 1 });
  });
});

/** Cancels the wait for the standby; false when nobody waits yet. */
async function cancelOne({ url }: Server): Promise<boolean> {
  const [row] = await execute(
    url,
    `SELECT count(pg_cancel_backend(pid))::int AS n FROM pg_stat_activity WHERE wait_event = 'SyncRep'`,
  );
  return row?.['n'] === 1;
}
