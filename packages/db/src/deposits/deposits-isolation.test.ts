import { expect, test } from 'vitest';
import { createDb } from '../connection/db.ts';
import { createDepositIntake } from './deposit-intake.ts';
import { recordDeposit } from './record-deposits.ts';
import { transaction } from '../connection/transaction.ts';
import { countRows } from '../testing/deposits/deposit-rows.ts';
import { ledgerFaults } from '../testing/ledger/faults.ts';
import { untilWaiting } from '../testing/database/lock-waiters.ts';
import { post } from '../testing/database/post.ts';
import { newReceipt, sampleDeposit } from '../testing/deposits/sample-deposit.ts';
import { openTestDb, throughDoor, useTestDb } from '../testing/database/test-db.ts';
import { balanceOf, openCustomer, openFunded } from '../testing/database/wallet-fixtures.ts';

const database = useTestDb();

const LEVELS = [['repeatable read'], ['serializable']] as const;

/** A database whose transactions all run at another level than the one that this package is made for. */
async function openAt(level: string) {
  const own = await openTestDb();
  const name = new URL(own.url).pathname.slice(1);
  await own.sql(`ALTER DATABASE "${name}" SET default_transaction_isolation = '${level}'`);
  const db = createDb({ url: own.url });
  return {
    ...own,
    db,
    [Symbol.asyncDispose]: async () => {
      await db.close();
      await own[Symbol.asyncDispose]();
    },
  };
}

test.for(LEVELS)('at %s payments that come one by one are recorded as ever', async ([level]) => {
  await using own = await openAt(level);
  const account = await openCustomer(own.db);
  const deposit = sampleDeposit({ account, amount: '10.00' });
  const outcomes = [
    await recordDeposit(own.db, deposit),
    await recordDeposit(own.db, deposit),
    await transaction(own.db, (tx) => recordDeposit(tx, sampleDeposit({ account, amount: '5.00' }))),
  ].map(({ outcome }) => outcome);
  expect(outcomes).toEqual(['credited', 'duplicate', 'credited']);
  expect(await balanceOf(own.sql, account)).toBe('15.00');
});

test.for(LEVELS)(
  'at %s a deposit that loses the race five times gets database_busy; nobody is credited twice',
  async ([level]) => {
    await using own = await openAt(level);
    const account = await openCustomer(own.db);
    const deposits = Array.from({ length: 10 }, () => sampleDeposit({ account, amount: '1.00' }));
    const reports = [...deposits, ...deposits, ...deposits].map((deposit) => recordDeposit(own.db, deposit));
    const results = await Promise.allSettled(reports);
    const credited = results.filter((result) => 'value' in result && result.value.outcome === 'credited');
    for (const result of results) {
      if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'database_busy' });
    }
    expect(await balanceOf(own.sql, account)).toBe(`${credited.length}.00`);
    expect(await ledgerFaults(own.sql)).toEqual([]);
  },
);

test.for(LEVELS)('at %s what travels in one batch of an intake does not race itself', async ([level]) => {
  await using own = await openAt(level);
  const intake = createDepositIntake(own.db);
  const account = await openCustomer(own.db);
  const deposits = Array.from({ length: 300 }, () => sampleDeposit({ account, amount: '1.00' }));
  await Promise.all(deposits.map((deposit) => intake.record(deposit)));
  expect(await balanceOf(own.sql, account)).toBe('300.00');
});

test.for([
  ['a deposit', (receipt: string) => recordDeposit(database.db, sampleDeposit({ receipt }))],
  [
    'a deposit in a transaction',
    (receipt: string) => transaction(database.db, (tx) => recordDeposit(tx, sampleDeposit({ receipt }))),
  ],
] as const)(
  '%s whose receipt a transfer takes at the same moment is a conflict, not a failure',
  async ([, record]) => {
    const [from, to] = [await openFunded(database, '10.00'), await openCustomer(database.db)];
    const receipt = newReceipt();
    await database.sql('BEGIN');
    await post(database.sql, [{ reference: receipt, from, to, amount: '1.00' }]);
    const recording = record(receipt);
    await untilWaiting(database.url, 1);
    await database.sql('COMMIT');
    expect(await recording).toMatchObject({ outcome: 'conflict', recorded: { amount: '1.00' } });
  },
);

/** A payment from a database that logged payments before there was a ledger. */
async function logWithoutLedger(receipt: string): Promise<void> {
  const text = 'INSERT INTO services.mpesa_logs (mpesa_receipt, amount) VALUES ($1, 150)';
  await throughDoor(database.sql, text, [receipt]);
}

test('a receipt that has a log row and no transaction moves no money', async () => {
  const receipt = newReceipt();
  await logWithoutLedger(receipt);
  const account = await openCustomer(database.db);
  await recordDeposit(database.db, sampleDeposit({ receipt, account })).catch(() => undefined);
  expect(await balanceOf(database.sql, account)).toBe('0.00');
});

test('a receipt that has a log row and no transaction is a conflict that people find in the inbox', async () => {
  const receipt = newReceipt();
  await logWithoutLedger(receipt);
  const deposit = sampleDeposit({ receipt, amount: '150.00' });
  expect(await recordDeposit(database.db, deposit)).toMatchObject({ outcome: 'conflict', receipt });
  expect(await countRows(database.sql, receipt)).toMatchObject({ transactions: 0, callbacks: 1 });
});
