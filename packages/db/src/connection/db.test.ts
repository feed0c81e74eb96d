import { startDatabaseProxy, startUpParameters } from '@repo/postgres/proxy';
import { createTestDatabase } from '@repo/postgres/testing';
import { until } from '@repo/testing/until';
import { expect, onTestFinished, test } from 'vitest';
import { createDb, ping } from './db.ts';
import type { Db } from './db.ts';
import type { Handle } from './handle.ts';
import { listCallbacks } from '../deposits/callback-list.ts';
import { createDepositIntake } from '../deposits/deposit-intake.ts';
import { findDeposit } from '../deposits/find-deposit.ts';
import { recordDeposit } from '../deposits/record-deposits.ts';
import { transaction } from './transaction.ts';
import { sampleDeposit } from '../testing/deposits/sample-deposit.ts';
import { openTestDb, useTestDb } from '../testing/database/test-db.ts';
import { openCustomer } from '../testing/database/wallet-fixtures.ts';
import { lookupWallet } from '../wallets/wallets.ts';

const database = useTestDb();

const coded = (code: string) => expect.objectContaining({ name: 'DaftariError', code });

async function ask<Row>(db: Handle, text: string): Promise<Row[]> {
  return (await db.run({ name: `test ${text}`, text }, [])) as Row[];
}

/** Every way to reach the database; each must explain itself alike. */
const WAYS: readonly (readonly [string, (db: Db) => Promise<unknown>])[] = [
  ['a deposit', (db) => recordDeposit(db, sampleDeposit())],
  ['a transaction', (db) => transaction(db, (tx) => recordDeposit(tx, sampleDeposit()))],
  ['an intake', (db) => createDepositIntake(db).record(sampleDeposit())],
  ['a ping', ping],
  ['a list', (db) => listCallbacks(db)],
];

/** Takes all connections of a pool; answers how to give them back. */
async function takeAll(db: Db, count: number): Promise<() => Promise<void>> {
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const held = Array.from({ length: count }, () => {
    const { promise: taken, resolve: take } = Promise.withResolvers<void>();
    const holding = transaction(db, async (tx) => {
      await ask(tx, 'SELECT 1');
      take();
      await released;
    });
    return { taken, holding };
  });
  // A connection that cannot be taken fails the test here, instead of being waited for.
  await Promise.all(held.map(({ taken, holding }) => Promise.race([taken, holding])));
  return async () => {
    release();
    await Promise.all(held.map(({ holding }) => holding));
  };
}

test('when all connections are in use, every caller is refused in time, and served afterwards', async () => {
  const db = createDb({ url: database.url, maxConnections: 2, connectTimeoutMs: 5_000 });
  const release = await takeAll(db, 2);
  const refused = await Promise.allSettled(WAYS.map(([, work]) => work(db)));
  await release();
  for (const [, work] of WAYS) await work(db);
  await db.close();
  const expected = { status: 'rejected', reason: coded('pool_exhausted') };
  expect(refused).toEqual(WAYS.map(() => expected));
});

test('when as many wait as may, others are refused at once, and patient work waits all the same', async () => {
  const db = createDb({ url: database.url, maxConnections: 2, maxWaiting: 1, connectTimeoutMs: 240_000 });
  const release = await takeAll(db, 2);
  const waiting = recordDeposit(db, sampleDeposit());
  expect(db.waiting).toBe(1);
  const refused = await Promise.allSettled(WAYS.map(([, work]) => work(db)));
  const patient = recordDeposit(db.patient, sampleDeposit());
  await until('both waiting', () => db.waiting === 2);
  await release();
  expect([(await waiting).outcome, (await patient).outcome]).toEqual(['suspense', 'suspense']);
  for (const [, work] of WAYS) {
    await until('nobody waiting', () => db.waiting === 0);
    await work(db);
  }
  await db.close();
  expect(refused).toEqual(WAYS.map(() => ({ status: 'rejected', reason: coded('pool_exhausted') })));
});

test('a caller that waits less than the limit gets a connection in the end', async () => {
  const db = createDb({ url: database.url, maxConnections: 1 });
  const release = await takeAll(db, 1);
  const waiting = recordDeposit(db, sampleDeposit());
  await release();
  expect((await waiting).outcome).toBe('suspense');
  await db.close();
});

test.for(WAYS)(
  'on a port where nobody listens, %s says that the database is unavailable',
  async ([, work]) => {
    const db = createDb({ url: 'postgresql://nobody:secret@127.0.0.1:1/none' });
    await expect(work(db)).rejects.toThrow(coded('database_unavailable'));
    await db.close();
  },
);

test.for(WAYS)('with a wrong password, %s says that the database is unavailable', async ([, work]) => {
  const url = new URL(database.url);
  url.password = 'wrong';
  const db = createDb({ url: url.href });
  await expect(work(db)).rejects.toThrow(coded('database_unavailable'));
  await db.close();
});

test.for(WAYS)('without the database, %s says that it is unavailable', async ([, work]) => {
  const url = new URL(database.url);
  url.pathname = '/no_such_database';
  const db = createDb({ url: url.href });
  await expect(work(db)).rejects.toThrow(coded('database_unavailable'));
  await db.close();
});

test.for(WAYS)('behind a proxy that hangs up, %s says that the database is unavailable', async ([, work]) => {
  await using proxy = await startDatabaseProxy(database.url);
  proxy.cut();
  const db = createDb({ url: proxy.url });
  await expect(work(db)).rejects.toThrow(coded('database_unavailable'));
  await db.close();
});

test('many callers of a server that does not answer all learn that it is unavailable', async () => {
  await using proxy = await startDatabaseProxy(database.url);
  proxy.swallow();
  const db = createDb({ url: proxy.url, maxConnections: 2, connectTimeoutMs: 150 });
  const results = await Promise.allSettled([...WAYS, ...WAYS].map(([, work]) => work(db)));
  await db.close();
  const expected = { status: 'rejected', reason: coded('database_unavailable') };
  expect(results).toEqual([...WAYS, ...WAYS].map(() => expected));
});

test('an answer that the network swallowed is not waited for without end', async () => {
  await using proxy = await startDatabaseProxy(database.url);
  const db = createDb({ url: proxy.url, statementTimeoutMs: 3_000, maxConnections: 2 });
  await Promise.all([ping(db), ping(db)]);
  proxy.swallow();
  const results = await Promise.allSettled([recordDeposit(db, sampleDeposit()), listCallbacks(db)]);
  const expected = { status: 'rejected', reason: coded('outcome_unknown') };
  expect(results).toEqual([expected, expected]);
  proxy.restore();
  expect((await recordDeposit(db, sampleDeposit())).outcome).toBe('suspense');
  await db.close();
});

test('a statement that waits too long for a lock is given up, and nothing is recorded', async () => {
  await using own = await openTestDb({ statementTimeoutMs: 200 });
  await own.sql('BEGIN');
  await own.sql(`SELECT 1 FROM core.wallets WHERE core.account_of(id) = 'MPESA-FLOAT' FOR UPDATE`);
  await expect(recordDeposit(own.db, sampleDeposit())).rejects.toThrow(coded('database_busy'));
  await own.sql('ROLLBACK');
  expect(await own.db.prisma.mpesaCallback.count()).toBe(0);
});

test.for(WAYS)(
  'a database that takes no writes is no primary to %s, which reads nothing there either',
  async ([, work]) => {
    await using own = await openTestDb();
    await own.sql(
      `ALTER DATABASE "${new URL(own.url).pathname.slice(1)}" SET default_transaction_read_only = on`,
    );
    await expect(work(own.db)).rejects.toThrow(coded('database_not_primary'));
  },
);

test.for(WAYS)('a database that was never migrated is outdated to %s', async ([, work]) => {
  await using empty = await createTestDatabase({ empty: true });
  const db = createDb({ url: empty.url });
  await expect(work(db)).rejects.toThrow(coded('schema_outdated'));
  await db.close();
});

test('ping is content with a migrated database', async () => {
  await expect(ping(database.db)).resolves.toBeUndefined();
});

test('nothing connects before the first statement', async () => {
  await using proxy = await startDatabaseProxy(database.url);
  const db = createDb({ url: proxy.url });
  expect(proxy.connections).toBe(0);
  await ping(db);
  // The first asked for TLS, which the server does not have.
  expect(proxy.connections).toBe(2);
  await Promise.all(Array.from({ length: 5 }, () => ping(db)));
  expect(proxy.connections).toBeLessThanOrEqual(6);
  await db.close();
});

test('closing waits for the statement under way', async () => {
  const db = createDb({ url: database.url });
  const working = ask<{ done: number }>(db, 'SELECT 1 AS done FROM pg_sleep(0.1)');
  await ping(db);
  await db.close();
  await expect(working).resolves.toEqual([{ done: 1 }]);
});

test('closing twice is closing once', async () => {
  const db = createDb({ url: database.url });
  await ping(db);
  await Promise.all([db.close(), db.close()]);
  await expect(db.close()).resolves.toBeUndefined();
});

test('a closed database answers with an error of the catalogue', async () => {
  const db = createDb({ url: database.url });
  await db.close();
  await expect(recordDeposit(db, sampleDeposit())).rejects.toThrow(coded('database_unavailable'));
});

/** The whole flow: opening, deposits in every way, look-ups, a model of Prisma. */
async function useEverything(db: Db): Promise<void> {
  const account = await openCustomer(db);
  const intake = createDepositIntake(db);
  const deposits = [1, 2, 3].map(() => sampleDeposit({ account, amount: '1.00' }));
  const [first, second, third] = deposits.map((deposit) => deposit);
  if (first === undefined || second === undefined || third === undefined) return;
  await recordDeposit(db, first);
  await transaction(db, (tx) => recordDeposit(tx, second));
  await Promise.all([intake.record(third), intake.record(first)]);
  await intake.close();
  expect((await findDeposit(db, first.receipt))?.callbacks).toHaveLength(2);
  expect(await lookupWallet(db, account)).toMatchObject({ balance: '3.00' });
  expect(await db.prisma.transaction.count({ where: { creditWalletId: account } })).toBe(3);
}

const PREPARED = 'SELECT count(*)::int AS count FROM pg_prepared_statements';

test('behind a pooler the whole flow works and leaves no prepared statement on the server', async () => {
  const db = createDb({ url: database.url, maxConnections: 1, pooler: true });
  await useEverything(db);
  expect(await ask(db, PREPARED)).toEqual([{ count: 0 }]);
  await db.close();
});

test('without a pooler every statement is prepared once and used again', async () => {
  const db = createDb({ url: database.url, maxConnections: 1 });
  await useEverything(db);
  const [before] = await ask<{ count: number }>(db, PREPARED);
  await useEverything(db);
  const [after] = await ask<{ count: number }>(db, PREPARED);
  await db.close();
  expect(before?.count).toBeGreaterThan(5);
  expect(after).toEqual(before);
});

test('behind a pooler only those start-up parameters are sent that poolers know', async () => {
  await using proxy = await startDatabaseProxy(database.url);
  const db = createDb({ url: proxy.url, pooler: true });
  await ping(db);
  await db.close();
  const greeting = proxy.greetings.at(-1);
  const sent = Object.keys(startUpParameters(greeting ?? Buffer.alloc(0)));
  expect(sent.toSorted()).toEqual(['application_name', 'client_encoding', 'database', 'user']);
});

test('without a pooler the session knows its limits', async () => {
  const db = createDb({ url: database.url, statementTimeoutMs: 1_234 });
  expect(await ask(db, `SELECT current_setting('statement_timeout') AS limit`)).toEqual([
    { limit: '1234ms' },
  ]);
  await db.close();
});

test('a process never opens more connections than it may, whatever is asked of it at once', async () => {
  await using own = await openTestDb();
  const role = `limited_${String(process.pid)}`;
  // The server counts, and refuses the fourth. What the owner may, this role may by being a member.
  await own.sql(`CREATE ROLE ${role} LOGIN PASSWORD 'limited' CONNECTION LIMIT 3 IN ROLE postgres`);
  onTestFinished(() => database.sql(`DROP ROLE ${role}`).then(() => undefined));
  const url = new URL(own.url);
  url.username = role;
  url.password = 'limited';
  const db = createDb({ url: url.href, maxConnections: 3, connectTimeoutMs: 60_000 });
  const intake = createDepositIntake(db, { lanes: 8 });
  const asked = Array.from({ length: 60 }, (_, i) => {
    if (i % 3 === 0) return intake.record(sampleDeposit());
    return i % 3 === 1 ? listCallbacks(db) : transaction(db, (tx) => recordDeposit(tx, sampleDeposit()));
  });
  const refused = (await Promise.allSettled(asked)).filter(({ status }) => status === 'rejected');
  await intake.close();
  await db.close();
  expect(refused).toEqual([]);
});
