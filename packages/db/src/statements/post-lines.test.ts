import { expect, test } from 'vitest';
import { netOf } from '@repo/statements/testing/statement-file';
import type { BookEntry } from '@repo/statements/testing/statement-file';
import { auditLedger } from '../audit/audit-ledger.ts';
import { transaction } from '../connection/transaction.ts';
import { recordDeposit } from '../deposits/record-deposits.ts';
import { assignSuspense } from '../ledger/assign-suspense.ts';
import { transfer } from '../ledger/transfers.ts';
import { formatCents } from '../money.ts';
import { newReceipt, sampleDeposit } from '../testing/deposits/sample-deposit.ts';
import { newKey } from '../testing/ledger/requests.ts';
import { untilWaiting } from '../testing/database/lock-waiters.ts';
import { useTestDb, valueOf } from '../testing/database/test-db.ts';
import { balanceOf, openCustomer } from '../testing/database/wallet-fixtures.ts';
import { importBook, importBytes, newShortCode, noonPlus, reconcileDay } from '../testing/statements.ts';

const database = useTestDb();
const { sql } = database;

function entry(facts: Partial<BookEntry> = {}): BookEntry {
  return { receipt: newReceipt(), at: noonPlus(0), what: 'payment', cents: 150_00n, ...facts };
}

/** The checks of the audit that found something. */
async function faultyChecks(): Promise<string[]> {
  const { checks } = await auditLedger(database.db);
  return checks.filter(({ faults }) => faults > 0).map(({ name }) => name);
}

/** What changed in BANK, CHARGES and RECEIVABLES while something was done. */
async function changeOf(work: () => Promise<unknown>): Promise<Record<string, string>> {
  const accounts = ['BANK', 'CHARGES', 'RECEIVABLES'];
  const before = await Promise.all(accounts.map((account) => balanceOf(sql, account)));
  await work();
  const after = await Promise.all(accounts.map((account) => balanceOf(sql, account)));
  const cents = (text = '0.00') => BigInt(text.replace('.', ''));
  return Object.fromEntries(
    accounts
      .map((account, i) => [account, cents(after[i]) - cents(before[i])] as const)
      .filter(([, change]) => change !== 0n)
      .map(([account, change]) => [account, formatCents(change)]),
  );
}

test('charges and settlements are posted once, and the float is what M-PESA holds', async () => {
  const shortCode = newShortCode();
  const paid = entry({ cents: 1_000_00n });
  const book = [
    paid,
    { ...paid, what: 'charge', cents: 5_50n } as const,
    entry({ at: noonPlus(1), cents: 200_00n }),
    entry({ at: noonPlus(2), what: 'sweep', cents: 900_00n }),
    entry({ at: noonPlus(3), what: 'failed', cents: 70_00n }),
  ];
  await importBook(database.db, book, { shortCode });
  const changed = await changeOf(async () => {
    const runs = await Promise.all([1, 2, 3].map(() => reconcileDay(database.db, shortCode, true)));
    expect(runs.reduce((sum, { posted }) => sum + posted, 0)).toBe(2);
    expect((await reconcileDay(database.db, shortCode, true)).posted).toBe(0);
  });
  expect(changed).toEqual({ BANK: '-900.00', CHARGES: '-5.50' });
  const { report } = await reconcileDay(database.db, shortCode);
  expect(report.controls).toMatchObject({
    difference: '0.00',
    itemised: {},
    period: {
      opening: '0.00',
      paidIn: '1200.00',
      withdrawn: '905.50',
      closing: '294.50',
      difference: '0.00',
      float: '294.50',
      floatDifference: '0.00',
    },
  });
  expect(Number(report.controls.period.closing?.replace('.', ''))).toBe(
    Number(book.reduce((sum, each) => sum + netOf(each), 0n)),
  );
});

test('a charge that one file shows without its balance and another with it is posted once, in either order', async () => {
  const form = 'Receipt No,Completion Time,Details,Transaction Status,Paid In (KSHs),Withdrawn (KSHs)';
  for (const isBareFirst of [true, false]) {
    const shortCode = newShortCode();
    const charge = entry({ what: 'charge', cents: 8_00n });
    const bare = `${form}\n${charge.receipt},01/03/2026 12:00:00,Pay Bill Charge,Completed,0.00,8.00\n`;
    const changed = await changeOf(async () => {
      const files = [
        () => importBytes(database.db, bare, { shortCode }),
        () => importBook(database.db, [charge], { shortCode, opening: 20_00n }),
      ];
      for (const take of isBareFirst ? files : files.toReversed()) {
        await take();
        await reconcileDay(database.db, shortCode, true);
      }
    });
    expect(changed).toEqual({ CHARGES: '-8.00' });
  }
});

test('what M-PESA took back is recovered from the customer, and what they have spent is owed', async () => {
  const shortCode = newShortCode();
  const [wallet, friend] = [await openCustomer(database.db), await openCustomer(database.db)];
  const whole = entry({ account: wallet, cents: 40_00n });
  const spent = entry({ account: wallet, cents: 100_00n });
  const book = [
    whole,
    spent,
    entry({ at: noonPlus(5), what: 'reversal', cents: spent.cents, undoes: spent.receipt }),
  ];
  await importBook(database.db, book, { shortCode });
  for (const each of [whole, spent]) {
    const amount = formatCents(each.cents);
    await recordDeposit(
      database.db,
      sampleDeposit({ receipt: each.receipt, shortCode, account: wallet, amount, paidAt: new Date(each.at) }),
    );
  }
  await transfer(database.db, { from: wallet, to: friend, amount: '75.00', idempotencyKey: newKey() });
  const changed = await changeOf(async () => {
    await Promise.all([1, 2, 3].map(() => reconcileDay(database.db, shortCode, true)));
  });
  expect(changed).toEqual({ RECEIVABLES: '-35.00' });
  expect(await balanceOf(sql, wallet)).toBe('0.00');
  const { report } = await reconcileDay(database.db, shortCode);
  expect(report.breaks).toEqual([]);
  expect(report.controls).toMatchObject({
    difference: '0.00',
    period: { closing: '40.00', float: '40.00', floatDifference: '0.00' },
  });
  const told = `SELECT count(*)::int FROM services.sms_logs WHERE template = 'reversal_debit'
    AND transaction_reference LIKE 'RV-%'`;
  expect(await valueOf(sql, told)).toBe(1);
  expect(await faultyChecks()).toEqual([]);
});

test('what is being spent while M-PESA takes a payment back is waited for, and owed', async () => {
  const shortCode = newShortCode();
  const [wallet, friend] = [await openCustomer(database.db), await openCustomer(database.db)];
  const paid = entry({ account: wallet });
  const reversal = entry({ at: noonPlus(5), what: 'reversal', cents: paid.cents, undoes: paid.receipt });
  await importBook(database.db, [paid, reversal], { shortCode });
  await recordDeposit(
    database.db,
    sampleDeposit({ receipt: paid.receipt, shortCode, account: wallet, paidAt: new Date(paid.at) }),
  );
  const changed = await changeOf(async () => {
    const { healing } = await transaction(database.db, async (handle) => {
      await transfer(handle, { from: wallet, to: friend, amount: '90.00', idempotencyKey: newKey() });
      const started = reconcileDay(database.db, shortCode, true);
      await untilWaiting(database.url, 1);
      return { healing: started };
    });
    expect((await healing).report.breaks).toEqual([]);
  });
  expect(changed).toEqual({ RECEIVABLES: '-90.00' });
  expect(await balanceOf(sql, wallet)).toBe('0.00');
});

test('a payment that was in suspense goes back from where it is now', async () => {
  const shortCode = newShortCode();
  const wallet = await openCustomer(database.db);
  const waiting = entry({ account: 'nobody' });
  const assigned = entry({ account: 'nobody' });
  const reversals = [waiting, assigned].map(({ receipt, cents }, i) =>
    entry({ at: noonPlus(5 + i), what: 'reversal', cents, undoes: receipt }),
  );
  await importBook(database.db, [waiting, assigned, ...reversals], { shortCode });
  for (const { receipt, at } of [waiting, assigned]) {
    const paidAt = new Date(at);
    await recordDeposit(
      database.db,
      sampleDeposit({ receipt, shortCode, account: 'nobody', amount: '150.00', paidAt }),
    );
  }
  await assignSuspense(database.db, {
    receipt: assigned.receipt,
    wallet,
    idempotencyKey: newKey(),
  });
  expect(await balanceOf(sql, wallet)).toBe('150.00');
  const changed = await changeOf(() => reconcileDay(database.db, shortCode, true));
  expect(changed).toEqual({});
  expect(await balanceOf(sql, wallet)).toBe('0.00');
  expect((await reconcileDay(database.db, shortCode)).report).toMatchObject({
    breaks: [],
    controls: { period: { closing: '0.00', float: '0.00' } },
  });
  expect(await faultyChecks()).toEqual([]);
});

test('a reversal of more than is left of the payment waits for a person', async () => {
  const shortCode = newShortCode();
  const paid = entry({ cents: 50_00n });
  const book = [paid, entry({ at: noonPlus(1), what: 'reversal', cents: 60_00n, undoes: paid.receipt })];
  await importBook(database.db, book, { shortCode, opening: 100_00n });
  const { report, posted } = await reconcileDay(database.db, shortCode, true);
  expect(posted).toBe(0);
  expect(report.breaks).toMatchObject([{ state: 'reversed', reason: 'not_posted_here' }]);
});
