import { expect, test } from 'vitest';
import { createDb } from '../connection/db.ts';
import { createDepositIntake } from './deposit-intake.ts';
import { countRows } from '../testing/deposits/deposit-rows.ts';
import { ledgerFaults } from '../testing/ledger/faults.ts';
import { untilWaiting } from '../testing/database/lock-waiters.ts';
import { sampleDeposit } from '../testing/deposits/sample-deposit.ts';
import { openTestDb, useTestDb, valueOf } from '../testing/database/test-db.ts';
import { balanceOf, openCustomer } from '../testing/database/wallet-fixtures.ts';

const database = useTestDb();

const coded = (code: string) => expect.objectContaining({ name: 'DaftariError', code });
const poison = (account: string) => sampleDeposit({ account, body: Buffer.from('no JSON'), payload: null });

test('one deposit alone is recorded and answered', async () => {
  const intake = createDepositIntake(database.db);
  const account = await openCustomer(database.db);
  expect(await intake.record(sampleDeposit({ account }))).toMatchObject({
    outcome: 'credited',
    wallet: account,
  });
});

test('a thousand callers share a handful of database transactions', async () => {
  await using own = await openTestDb();
  const intake = createDepositIntake(own.db);
  const results = await Promise.all(Array.from({ length: 1_000 }, () => intake.record(sampleDeposit())));
  expect(results).toHaveLength(1_000);
  const count = await valueOf(own.sql, 'SELECT count(DISTINCT xact_id)::int FROM core.transactions');
  expect(count).toBeLessThanOrEqual(5);
});

test('no batch is larger than it may be', async () => {
  await using own = await openTestDb();
  const intake = createDepositIntake(own.db, { maxBatch: 10 });
  await Promise.all(Array.from({ length: 95 }, () => intake.record(sampleDeposit())));
  const largest = await valueOf(
    own.sql,
    'SELECT max(n)::int FROM (SELECT count(*) AS n FROM core.transactions GROUP BY xact_id) AS batches',
  );
  expect(largest).toBe(10);
});

test('what arrives while a round trip is under way goes in the next', async () => {
  await using own = await openTestDb();
  const intake = createDepositIntake(own.db);
  const account = await openCustomer(own.db);
  // The first batch waits for this lock, and everybody else for the first batch.
  await own.sql('BEGIN');
  await own.sql('SELECT 1 FROM core.wallets WHERE id = $1 FOR UPDATE', [account]);
  const first = intake.record(sampleDeposit({ account }));
  await untilWaiting(own.url, 1);
  const rest = Array.from({ length: 50 }, () => intake.record(sampleDeposit({ account })));
  expect(intake.depth).toBe(51);
  await own.sql('COMMIT');
  await Promise.all([first, ...rest]);
  const batches = await own.sql(
    'SELECT count(*)::int AS n FROM core.transactions GROUP BY xact_id ORDER BY 1',
  );
  expect(batches).toEqual([{ n: 1 }, { n: 50 }]);
  expect(intake.depth).toBe(0);
});

test('of a single lane a second batch leaves while the first is under way, if it is full', async () => {
  await using own = await openTestDb();
  const intake = createDepositIntake(own.db, { maxBatch: 10, lanes: 1 });
  const account = await openCustomer(own.db);
  await own.sql('BEGIN');
  await own.sql('SELECT 1 FROM core.wallets WHERE id = $1 FOR UPDATE', [account]);
  const deposits = Array.from({ length: 25 }, () => sampleDeposit({ account, amount: '1.00' }));
  const recording = deposits.map((deposit) => intake.record(deposit));
  await untilWaiting(own.url, 2);
  await own.sql('COMMIT');
  await Promise.all(recording);
  const batches = await own.sql(
    'SELECT count(*)::int AS n FROM core.transactions GROUP BY xact_id ORDER BY 1',
  );
  expect(batches).toEqual([{ n: 5 }, { n: 10 }, { n: 10 }]);
  expect(await ledgerFaults(own.sql)).toEqual([]);
});

test('deposits that travel together are recorded in the order in which they were given', async () => {
  const intake = createDepositIntake(database.db);
  const account = await openCustomer(database.db);
  const results = await Promise.all(
    Array.from({ length: 40 }, () => intake.record(sampleDeposit({ account, amount: '1.00' }))),
  );
  const balances = results.map((result) => ('balanceAfter' in result ? result.balanceAfter : ''));
  expect(balances).toEqual(results.map((_, i) => `${i + 1}.00`));
});

test('a deposit that only the database finds poisonous fails alone', async () => {
  const intake = createDepositIntake(database.db);
  const account = await openCustomer(database.db);
  const batch = Array.from({ length: 60 }, (_, i) =>
    i % 20 === 7 ? poison(account) : sampleDeposit({ account, amount: '1.00' }),
  );
  const results = await Promise.allSettled(batch.map((deposit) => intake.record(deposit)));
  const failed = results.flatMap(({ status }, i) => (status === 'rejected' ? [i] : []));
  expect(failed).toEqual([7, 27, 47]);
  expect(results[7]).toMatchObject({ reason: coded('deposit_failed') });
  expect(await balanceOf(database.sql, account)).toBe('57.00');
});

test('a body that is nested deeper than the database can follow fails alone', async () => {
  const intake = createDepositIntake(database.db);
  const body = Buffer.from('['.repeat(30_000) + ']'.repeat(30_000));
  const results = await Promise.allSettled([
    intake.record(sampleDeposit()),
    intake.record(sampleDeposit({ body })),
    intake.record(sampleDeposit()),
  ]);
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect(results[1]).toMatchObject({ reason: coded('deposit_failed') });
});

test('of a poisonous deposit nothing is written', async () => {
  const intake = createDepositIntake(database.db);
  const bad = poison('');
  await expect(intake.record(bad)).rejects.toThrow(coded('deposit_failed'));
  expect(await countRows(database.sql, bad.receipt)).toEqual({
    transactions: 0,
    logs: 0,
    sms: 0,
    callbacks: 0,
  });
});

test('a deposit that is invalid is refused at once, with its own error', async () => {
  const intake = createDepositIntake(database.db);
  await expect(intake.record(sampleDeposit({ amount: '0' }))).rejects.toThrow(coded('invalid_amount'));
  await expect(intake.record(sampleDeposit({ receipt: '' }))).rejects.toThrow(coded('invalid_deposit'));
  expect(intake.depth).toBe(0);
});

test('beyond the queue a deposit is refused, and those within it are recorded', async () => {
  const intake = createDepositIntake(database.db, { maxQueue: 3 });
  const results = await Promise.allSettled(Array.from({ length: 5 }, () => intake.record(sampleDeposit())));
  const statuses = results.map(({ status }) => status);
  expect(statuses).toEqual(['fulfilled', 'fulfilled', 'fulfilled', 'rejected', 'rejected']);
  expect(results[4]).toMatchObject({ reason: coded('queue_full') });
});

test('there is room again once the queue has been worked off', async () => {
  const intake = createDepositIntake(database.db, { maxQueue: 1 });
  await intake.record(sampleDeposit());
  expect((await intake.record(sampleDeposit())).outcome).toBe('suspense');
});

test('closing waits for all that was taken, and takes nothing more', async () => {
  const intake = createDepositIntake(database.db, { maxBatch: 2 });
  const account = await openCustomer(database.db);
  const answered: string[] = [];
  const taken = Array.from({ length: 9 }, async () => {
    const { outcome } = await intake.record(sampleDeposit({ account, amount: '1.00' }));
    answered.push(outcome);
  });
  const closing = intake.close();
  await expect(intake.record(sampleDeposit())).rejects.toThrow(coded('intake_closed'));
  await closing;
  expect(await balanceOf(database.sql, account)).toBe('9.00');
  await Promise.all(taken);
  expect(answered).toHaveLength(9);
});

test('closing an intake with nothing in it, or twice, is no trouble', async () => {
  const intake = createDepositIntake(database.db);
  await intake.close();
  await intake.close();
  expect(intake.depth).toBe(0);
});

test('two hundred reports of one payment over two intakes are one credit and two hundred answers', async () => {
  await using own = await openTestDb();
  const other = createDb({ url: own.url });
  const intakes = [createDepositIntake(own.db), createDepositIntake(other)];
  const account = await openCustomer(own.db);
  const deposit = sampleDeposit({ account, amount: '10.00' });
  const reports = Array.from({ length: 100 }, () => intakes.map((intake) => intake.record(deposit))).flat();
  const results = await Promise.all(reports);
  await other.close();
  expect(results.filter(({ outcome }) => outcome === 'credited')).toHaveLength(1);
  expect(results.filter(({ outcome }) => outcome === 'duplicate')).toHaveLength(199);
  expect(await countRows(own.sql, deposit.receipt)).toMatchObject({
    transactions: 1,
    logs: 1,
    callbacks: 200,
  });
  expect(await balanceOf(own.sql, account)).toBe('10.00');
  expect(await ledgerFaults(own.sql)).toEqual([]);
});
