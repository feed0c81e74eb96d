import { expect, test } from 'vitest';
import type { BookEntry } from '@repo/statements/testing/statement-file';
import { query } from '../connection/handle.ts';
import type { Handle } from '../connection/handle.ts';
import { transaction } from '../connection/transaction.ts';
import { recordDeposit } from '../deposits/record-deposits.ts';
import { newReceipt, sampleDeposit } from '../testing/deposits/sample-deposit.ts';
import { untilWaiting } from '../testing/database/lock-waiters.ts';
import { useTestDb } from '../testing/database/test-db.ts';
import { BOOK_DAY, importBook, newShortCode, noonPlus, reconcileDay } from '../testing/statements.ts';
import { closePeriod, findPeriod, listPeriods, reopenPeriod } from './periods.ts';
import { reconcile } from './reconcile.ts';

const database = useTestDb();

const NEXT_DAY = { from: BOOK_DAY.to, to: new Date(BOOK_DAY.to.getTime() + 86_400_000) };

const BEGIN_IMPORT = {
  name: 'test_begin_import',
  text: `
SELECT is_known FROM services.begin_mpesa_statement(
    p_sha256 => $1::text, p_short_code => $2::text, p_form => 'A', p_account => NULL, p_by => NULL)`,
} as const;

function entry(facts: Partial<BookEntry> = {}): BookEntry {
  return { receipt: newReceipt(), at: noonPlus(0), what: 'payment', cents: 150_00n, ...facts };
}

async function report(db: Handle, { receipt, at }: BookEntry, shortCode: string) {
  return recordDeposit(db, sampleDeposit({ receipt, shortCode, amount: '150.00', paidAt: new Date(at) }));
}

async function closeDay(shortCode: string, items: Parameters<typeof closePeriod>[1]['items'] = []) {
  return closePeriod(database.db, { shortCode, ...BOOK_DAY, items, closedBy: 'Akinyi' });
}

test('a period whose totals agree is closed, and closing it again changes nothing', async () => {
  const shortCode = newShortCode();
  const paid = entry();
  await importBook(database.db, [paid, { ...paid, what: 'charge', cents: 5_00n }], { shortCode });
  await reconcileDay(database.db, shortCode, true);
  const period = await closeDay(shortCode);
  expect(period).toMatchObject({
    shortCode,
    ...BOOK_DAY,
    status: 'CLOSED',
    closedBy: 'Akinyi',
    closingBalance: '145.00',
    float: '145.00',
    items: [],
    reopened: null,
  });
  expect(await closeDay(shortCode)).toEqual(period);
  expect(await listPeriods(database.db, shortCode)).toEqual([period]);
});

test('each difference must be itemised to the cent, and each break named', async () => {
  const shortCode = newShortCode();
  const lost = entry();
  await importBook(database.db, [lost], { shortCode, opening: 10_00n });
  await expect(closeDay(shortCode)).rejects.toMatchObject({
    code: 'period_not_agreed',
    findings: [{ where: 'float' }, { where: lost.receipt }],
  });
  const opening = { control: 'float', amount: '10.00', note: 'held before the ledger began' } as const;
  const missing = {
    control: 'float',
    amount: '150.00',
    note: 'the callback is late',
    reference: lost.receipt,
  } as const;
  for (const items of [[opening], [missing], [opening, { ...missing, amount: '149.99' }]]) {
    await expect(closeDay(shortCode, items)).rejects.toMatchObject({ code: 'period_not_agreed' });
  }
  expect(await closeDay(shortCode, [opening, missing])).toMatchObject({
    closingBalance: '160.00',
    float: '0.00',
    items: [opening, missing],
  });
});

test('a balance that jumps and a callback with another balance keep a period open', async () => {
  const shortCode = newShortCode();
  const [first, second] = [entry(), entry({ at: noonPlus(1) })];
  await importBook(database.db, [first], { shortCode });
  await importBook(database.db, [second], { shortCode, opening: 157_00n });
  await recordDeposit(
    database.db,
    sampleDeposit({
      receipt: first.receipt,
      shortCode,
      amount: '150.00',
      paidAt: new Date(first.at),
      payload: JSON.stringify({ TransAmount: '150.00', OrgAccountBalance: '149.00' }),
    }),
  );
  await report(database.db, second, shortCode);
  await expect(closeDay(shortCode)).rejects.toMatchObject({
    findings: [
      { where: 'statement', what: expect.stringContaining('is -7.00') },
      { where: 'callbacks', what: expect.stringContaining('together 1.00') },
      { where: 'float' },
    ],
  });
});

test('a balance is compared also when the other message of the payment, which has none, came first', async () => {
  const shortCode = newShortCode();
  const paid = entry();
  await importBook(database.db, [paid], { shortCode });
  const facts = { receipt: paid.receipt, shortCode, amount: '150.00', paidAt: new Date(paid.at) };
  const named = { TransID: paid.receipt, TransAmount: '150.00', OrgAccountBalance: '149.00' };
  await recordDeposit(
    database.db,
    sampleDeposit({ ...facts, kind: 'STK_CALLBACK', payload: '{"Body": {}}' }),
  );
  await recordDeposit(
    database.db,
    sampleDeposit({ ...facts, body: Buffer.from(JSON.stringify(named)), payload: JSON.stringify(named) }),
  );
  const { report: told } = await reconcileDay(database.db, shortCode);
  expect(told.controls.callbacks).toEqual({ compared: 1, different: 1 });
});

test('a closed period answers its report, and nothing is healed or imported into it', async () => {
  const shortCode = newShortCode();
  const paid = entry();
  await importBook(database.db, [paid], { shortCode });
  await report(database.db, paid, shortCode);
  const { reconciliationId } = await closeDay(shortCode);
  await expect(reconcileDay(database.db, shortCode, true)).rejects.toMatchObject({ code: 'period_closed' });
  await expect(importBook(database.db, [paid, entry()], { shortCode })).rejects.toMatchObject({
    code: 'period_closed',
  });
  // What the books show already may come again.
  await importBook(database.db, [paid], { shortCode, form: 'B' });
  expect((await reconcileDay(database.db, shortCode)).report.id).toBe(reconciliationId);
});

test('a payment that comes too late is posted today, with a reference to the closed period', async () => {
  const shortCode = newShortCode();
  const late = entry();
  await importBook(database.db, [late], { shortCode });
  const item = {
    control: 'float',
    amount: '150.00',
    note: 'the callback is late',
    reference: late.receipt,
  } as const;
  const period = await closeDay(shortCode, [item]);
  await report(database.db, late, shortCode);
  expect((await reconcileDay(database.db, shortCode)).report.id).toBe(period.reconciliationId);

  const today = { shortCode, from: NEXT_DAY.from, to: new Date(Date.now() + 60_000) };
  const now = await reconcile(database.db, today);
  expect(now.report.totals.matched).toEqual({ lines: 1, amount: '150.00' });
  expect(now.report.controls).toMatchObject({
    late: [{ reference: late.receipt, amount: '150.00', period: period.id }],
    difference: '-150.00',
    itemised: { matched: '-150.00' },
    period: { opening: '150.00', closing: '150.00', float: '150.00', floatDifference: '0.00' },
  });
});

test('a payment that is being posted while the books are closed is waited for, and is in time', async () => {
  const shortCode = newShortCode();
  const paid = entry();
  await importBook(database.db, [paid], { shortCode });
  const closing = await transaction(database.db, async (handle) => {
    await report(handle, paid, shortCode);
    const started = closeDay(shortCode).catch((error: unknown) => error);
    await untilWaiting(database.url, 1);
    return { started };
  });
  expect(await closing.started).toMatchObject({
    status: 'CLOSED',
    closingBalance: '150.00',
    float: '150.00',
  });
  expect((await reconcileDay(database.db, shortCode)).report.controls.late).toEqual([]);
});

test('periods are closed in order, and reopened from the last, with a name and a reason', async () => {
  const shortCode = newShortCode();
  const paid = entry();
  await importBook(database.db, [paid], { shortCode });
  await report(database.db, paid, shortCode);
  const first = await closeDay(shortCode);
  const gap = { from: NEXT_DAY.to, to: new Date(NEXT_DAY.to.getTime() + 1_000) };
  await expect(closePeriod(database.db, { shortCode, ...gap })).rejects.toMatchObject({
    code: 'periods_out_of_order',
  });
  await expect(
    closePeriod(database.db, { shortCode, from: BOOK_DAY.from, to: NEXT_DAY.to }),
  ).rejects.toMatchObject({ code: 'period_closed' });
  const ahead = { from: NEXT_DAY.from, to: new Date(Date.now() + 3_600_000) };
  await expect(closePeriod(database.db, { shortCode, ...ahead })).rejects.toMatchObject({
    code: 'period_in_future',
  });
  // A day without a line keeps the balance of the day before.
  const second = await closePeriod(database.db, { shortCode, ...NEXT_DAY });
  expect(second).toMatchObject({ closingBalance: '150.00', float: '150.00' });

  const reopening = { reason: 'a file was missing', reopenedBy: 'Wanjiru' };
  await expect(reopenPeriod(database.db, { id: first.id, ...reopening })).rejects.toMatchObject({
    code: 'later_period_closed',
  });
  expect(await reopenPeriod(database.db, { id: second.id, ...reopening })).toMatchObject({
    status: 'REOPENED',
    reopened: { by: 'Wanjiru', reason: 'a file was missing' },
  });
  await expect(reopenPeriod(database.db, { id: second.id, ...reopening })).rejects.toMatchObject({
    code: 'period_not_closed',
  });
  await reopenPeriod(database.db, { id: first.id, ...reopening });
  const again = await closeDay(shortCode);
  expect(again.id).not.toBe(first.id);
  expect(await findPeriod(database.db, first.id)).toMatchObject({ status: 'REOPENED' });
  await expect(findPeriod(database.db, 'x')).rejects.toMatchObject({ code: 'unknown_period' });
});

test('the books wait for a statement that is being imported', async () => {
  const shortCode = newShortCode();
  const paid = entry();
  await importBook(database.db, [paid], { shortCode });
  await report(database.db, paid, shortCode);
  const closing = await transaction(database.db, async (handle) => {
    await query(handle, BEGIN_IMPORT, ['0'.repeat(64), shortCode]);
    const started = closeDay(shortCode);
    await untilWaiting(database.url, 1);
    // What it adds now is in time.
    expect(await listPeriods(database.db, shortCode)).toEqual([]);
    return { started };
  });
  expect(await closing.started).toMatchObject({ status: 'CLOSED' });
});

test('of two who close a period one closes it, also when one begins while the other ends', async () => {
  const shortCode = newShortCode();
  const paid = entry();
  await importBook(database.db, [paid], { shortCode });
  await report(database.db, paid, shortCode);
  const { report: agreed } = await reconcileDay(database.db, shortCode);
  const { from, to } = BOOK_DAY;
  const [begun] = await database.sql(
    `SELECT id::text AS id FROM services.begin_mpesa_period(
         p_short_code => $1, p_from => $2::timestamptz AT TIME ZONE 'UTC', p_to => $3::timestamptz AT TIME ZONE 'UTC',
         p_by => 'Baraka')`,
    [shortCode, from, to],
  );
  const race = await transaction(database.db, async (handle) => {
    // Whoever begins reads the clock under the float's lock, and has looked for closed periods before that.
    await report(handle, entry(), newShortCode());
    const begins = closeDay(shortCode);
    await untilWaiting(database.url, 1);
    const ends = database.sql(
      `SELECT services.end_mpesa_period(
           p_id => $1::uuid, p_report => $2::uuid, p_closing => 150, p_float => 150, p_items => '[]') AS is_closed`,
      [begun?.['id'], agreed.id],
    );
    await Promise.race([ends, untilWaiting(database.url, 2)]);
    return { begins, ends };
  });
  expect(await race.ends).toEqual([{ is_closed: false }]);
  expect(await race.begins).toMatchObject({ status: 'CLOSED', closedBy: 'Akinyi' });
  expect(await listPeriods(database.db, shortCode)).toHaveLength(1);
});

test('two who close a period at the same time close it once', async () => {
  const shortCode = newShortCode();
  const paid = entry();
  await importBook(database.db, [paid], { shortCode });
  await report(database.db, paid, shortCode);
  await Promise.allSettled([closeDay(shortCode), closeDay(shortCode), closeDay(shortCode)]);
  await closeDay(shortCode);
  expect(await listPeriods(database.db, shortCode)).toHaveLength(1);
});
