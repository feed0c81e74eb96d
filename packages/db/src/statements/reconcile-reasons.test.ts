import { withoutChance } from '@repo/testing/chance';
import { expect, test } from 'vitest';
import type { BookEntry } from '@repo/statements/testing/statement-file';
import { recordDeposit } from '../deposits/record-deposits.ts';
import { newReceipt, sampleDeposit } from '../testing/deposits/sample-deposit.ts';
import { useTestDb } from '../testing/database/test-db.ts';
import { BOOK_DAY, importBook, newShortCode, noonPlus, reconcileDay } from '../testing/statements.ts';

const database = useTestDb();

/** A payment of the book, so many minutes after noon. */
function payment(minutes: number, cents: bigint, facts: Partial<BookEntry> = {}): BookEntry {
  return { receipt: newReceipt(), at: noonPlus(minutes), what: 'payment', cents, ...facts };
}

/** What a callback said, so many minutes after noon. */
async function callback(
  minutes: number,
  amount: string,
  { receipt = newReceipt(), ...facts }: Parameters<typeof sampleDeposit>[0] & { readonly shortCode: string },
): Promise<string> {
  await recordDeposit(
    database.db,
    sampleDeposit({ receipt, amount, paidAt: new Date(noonPlus(minutes)), ...facts }),
  );
  return receipt;
}

test('each break says why it is open, and which part of the day no file shows', async () => {
  const shortCode = newShortCode();
  const other = newShortCode();
  const first = payment(0, 10_00n);
  const elsewhere = payment(10, 11_00n);
  const held = payment(20, 12_00n);
  const late = payment(190, 13_00n);
  const last = payment(200, 14_00n, { what: 'payout' });
  const undoing = payment(30, 15_00n, { what: 'reversal' });
  await importBook(database.db, [first, elsewhere, held, undoing, late, last], {
    shortCode,
    opening: 100_00n,
  });
  const inOther = payment(40, 16_00n);
  await importBook(database.db, [inOther], { shortCode, account: 'Working Account' });
  const nextDay = payment(12 * 60, 17_00n);
  await importBook(database.db, [nextDay], { shortCode, opening: 500_00n });
  await callback(10, '11.00', { receipt: elsewhere.receipt, shortCode: other });
  await recordDeposit(
    database.db,
    sampleDeposit({ receipt: held.receipt, shortCode, amount: '12.00', paidAt: new Date(held.at) }),
    { maxAmount: '5.00' },
  );
  const afterTheFile = await callback(300, '18.00', { shortCode });
  // The callback has another amount and an earlier time than the line, which lies in the next day.
  await callback(11 * 60, '19.00', { receipt: nextDay.receipt, shortCode });

  const { report } = await reconcileDay(database.db, shortCode);
  const reasons = report.breaks.map(({ reference, state, reason }) => [reference, state, reason]);
  expect(new Map(reasons.map(([reference, ...why]) => [reference, why]))).toEqual(
    new Map([
      [first.receipt, ['missing_here', null]],
      [elsewhere.receipt, ['unexplained', 'other_short_code']],
      [held.receipt, ['missing_here', 'held']],
      [undoing.receipt, ['reversed', 'original_unknown']],
      [inOther.receipt, ['unexplained', 'other_account']],
      [late.receipt, ['missing_here', 'callback_may_be_late']],
      [last.receipt, ['unexplained', 'payout']],
      [afterTheFile, ['missing_there', 'no_statement_of_this_time']],
      [nextDay.receipt, ['amount_differs', 'line_outside_period']],
    ]),
  );
  expect(report.controls.uncovered).toEqual([
    { from: BOOK_DAY.from.toISOString(), to: new Date(first.at).toISOString() },
    { from: new Date(last.at + 1_000).toISOString(), to: BOOK_DAY.to.toISOString() },
  ]);
});

test('a line and a movement with other receipts suggest each other by amount, payer and time, and are not matched', async () => {
  const shortCode = newShortCode();
  const [line, alone] = [payment(0, 77_00n, { phone: '25470****111' }), payment(60, 78_00n)];
  const last = payment(120, 1n, { what: 'payout' });
  await importBook(database.db, [line, alone, last], { shortCode, opening: 100n });
  const nearest = await callback(3, '77.00', { shortCode, phone: '254700000222' });
  const ofPayer = await callback(50, '77.00', { shortCode, phone: '254700000111' });
  const { report } = await reconcileDay(database.db, shortCode);
  const suggestions = report.breaks.map(({ reference, suggestion }) => [reference, suggestion] as const);
  expect(new Map(suggestions)).toEqual(
    new Map([
      [line.receipt, { reference: ofPayer, because: 'the same amount and payer, 50 minutes apart' }],
      [nearest, { reference: line.receipt, because: 'the same amount, 3 minutes apart' }],
      [ofPayer, { reference: line.receipt, because: 'the same amount and payer, 50 minutes apart' }],
      [alone.receipt, null],
      [last.receipt, null],
    ]),
  );
  expect(report.totals.matched.lines).toBe(0);
  expect(withoutChance(JSON.stringify(report))).not.toMatch(/2547/);
});
