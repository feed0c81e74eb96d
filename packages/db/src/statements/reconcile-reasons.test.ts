import { withoutChance } from '@repo/testing/chance';
import { expect, test } from 'vitest';
import type { BookEntry } from '@repo/statements/testing/statement-file';
import { releaseDeposit } from '../deposits/deposit-decisions.ts';
import { recordDeposit } from '../deposits/record-deposits.ts';
import { laneOf } from '../lanes.ts';
import { captureHold, hold } from '../ledger/holds.ts';
import { reverseTransaction } from '../ledger/reversals.ts';
import { newReceipt, sampleDeposit } from '../testing/deposits/sample-deposit.ts';
import { isOverNodes } from '../testing/database/nodes.ts';
import { openTestDb, throughDoor, useTestDb } from '../testing/database/test-db.ts';
import { balanceOf, openCustomer } from '../testing/database/wallet-fixtures.ts';
import { newKey } from '../testing/ledger/requests.ts';
import {
  BOOK_DAY,
  countsOf,
  importBook,
  importBytes,
  newShortCode,
  noonPlus,
  reconcileDay,
} from '../testing/statements.ts';
import { listBreaks } from './breaks.ts';
import { closePeriod } from './periods.ts';
import { reconcile } from './reconcile.ts';

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

test('a reversal of what neither ledger nor statements know is open until a statement shows it', async () => {
  const shortCode = newShortCode();
  const taken = payment(0, 20_00n);
  const undoing = payment(90, 20_00n, { what: 'reversal', undoes: taken.receipt });
  const last = payment(180, 1_00n);
  await importBook(database.db, [undoing, last], { shortCode, opening: 100_00n });
  const before = await reconcileDay(database.db, shortCode);
  expect(before.report.breaks).toMatchObject([
    { reference: undoing.receipt, state: 'reversed', reason: 'original_unknown' },
    { reference: last.receipt, state: 'missing_here' },
  ]);
  await importBook(database.db, [taken], { shortCode, opening: 80_00n });
  const after = await reconcileDay(database.db, shortCode);
  expect(after.report.breaks).toMatchObject([{ reference: last.receipt, state: 'missing_here' }]);
  expect(after.report.totals.reversed.lines).toBe(2);
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

const { sql } = database;

/** From the day of the books until now: what is posted by a test falls into it. */
const untilNow = (shortCode: string) => ({
  shortCode,
  from: BOOK_DAY.from,
  to: new Date(Date.now() + 60_000),
});

/** What is open, as state, reason and amount. */
function openOf({ report }: Awaited<ReturnType<typeof reconcile>>) {
  return report.breaks.map(({ reference, state, reason, amount }) => ({ reference, state, reason, amount }));
}

/** The states of the ledger's movements until now, also of those that nobody must act on. */
async function movementsOf(shortCode: string) {
  return sql(
    `SELECT reference, state, reason, is_open FROM services.mpesa_movement_states($1, $2, $3) ORDER BY happened_at`,
    [
      shortCode,
      BOOK_DAY.from.toISOString().slice(0, -1),
      new Date(Date.now() + 60_000).toISOString().slice(0, -1),
    ],
  );
}

test('a payment that was logged before there was a ledger waits for its release, and is matched then', async () => {
  const shortCode = newShortCode();
  const wallet = await openCustomer(database.db);
  const [bare, whole] = [payment(0, 75_00n), payment(1, 76_00n)];
  // The log as it was then, and one that was kept by hand. Over several nodes each lies in a lane, which its receipt names.
  const lane = isOverNodes ? laneOf(wallet) : null;
  for (const [{ receipt }, amount, told] of [
    [bare, 75, null],
    [whole, 76, shortCode],
  ] as const) {
    if (isOverNodes) await sql('INSERT INTO lanes.claims (reference, lane) VALUES ($1, $2)', [receipt, lane]);
    await throughDoor(
      sql,
      `INSERT INTO services.mpesa_logs (mpesa_receipt, amount, account, short_code, lane)
       VALUES ($1, $2, $3, $4, $5)`,
      [receipt, amount, wallet, told, lane],
    );
  }
  await importBook(database.db, [bare, whole], { shortCode });
  const waiting = await reconcileDay(database.db, shortCode, true);
  const why = { state: 'missing_here', reason: 'logged_without_posting' };
  expect(openOf(waiting)).toEqual([
    { reference: bare.receipt, ...why, amount: '75.00' },
    { reference: whole.receipt, ...why, amount: '76.00' },
  ]);
  expect([waiting.healed, await balanceOf(sql, wallet)]).toEqual([0, '0.00']);
  for (const { receipt } of [bare, whole]) {
    const decided = { decidedBy: 'ann', reason: 'as in the portal', idempotencyKey: newKey() };
    await releaseDeposit(database.db, { receipt, decision: 'release', ...decided });
  }
  expect(await balanceOf(sql, wallet)).toBe('151.00');
  const released = await reconcileDay(database.db, shortCode);
  expect([countsOf(released), released.report.breaks]).toEqual([{ matched: 2 }, []]);
  const matches = `SELECT count(*)::int AS n FROM services.mpesa_matches m
    JOIN services.mpesa_statement_lines l ON l.id = m.line_id WHERE l.short_code = $1`;
  expect(await sql(matches, [shortCode])).toEqual([{ n: 2 }]);
});

test('a deposit that no line shows is open until it is undone here; its break says so', async () => {
  const shortCode = newShortCode();
  const wallet = await openCustomer(database.db);
  const receipt = await callback(0, '150.00', { shortCode, account: wallet });
  await reconcileDay(database.db, shortCode);
  expect(await listBreaks(database.db, { shortCode })).toMatchObject([
    { reference: receipt, state: 'missing_there', why: null, status: 'OPEN' },
  ]);
  // A part of it leaves the deposit without a line, and is a movement without a line itself.
  const part = await reverseTransaction(database.db, {
    reference: receipt,
    amount: '50.00',
    idempotencyKey: newKey(),
  });
  expect(await movementsOf(shortCode)).toEqual([
    { reference: receipt, state: 'missing_there', reason: null, is_open: true },
    { reference: part.reference, state: 'missing_there', reason: 'reversal', is_open: true },
  ]);
  const rest = await reverseTransaction(database.db, { reference: receipt, idempotencyKey: newKey() });
  const undone = { state: 'reversed', reason: 'undone_here', is_open: false };
  expect(await movementsOf(shortCode)).toEqual([
    { reference: receipt, ...undone },
    { reference: part.reference, ...undone },
    { reference: rest.reference, ...undone },
  ]);
  const { report } = await reconcile(database.db, untilNow(shortCode));
  expect(report.breaks).toEqual([]);
  expect(report.totals.reversed).toEqual({ lines: 3, amount: '300.00' });
  expect(report.controls).toMatchObject({ ledger: { net: '0.00' }, difference: '0.00' });
  expect(await listBreaks(database.db, { shortCode })).toMatchObject([
    { reference: receipt, state: 'reversed', why: 'undone_here', status: 'RESOLVED' },
  ]);
});

test('a deposit that M-PESA shows is not undone by our reversal alone: that is open', async () => {
  const shortCode = newShortCode();
  const paid = payment(0, 150_00n);
  const account = await openCustomer(database.db);
  await callback(0, '150.00', { receipt: paid.receipt, shortCode, account });
  await importBook(database.db, [paid], { shortCode });
  const { reference } = await reverseTransaction(database.db, {
    reference: paid.receipt,
    idempotencyKey: newKey(),
  });
  const run = await reconcile(database.db, untilNow(shortCode));
  expect(countsOf(run)).toEqual({ matched: 1, missing_there: 1 });
  // No file covers the moment of the reversal, which is now; its kind says more.
  expect(openOf(run)).toEqual([{ reference, state: 'missing_there', reason: 'reversal', amount: '150.00' }]);
});

test('a payout of ours that no line shows is open as a withdrawal', async () => {
  await using own = await openTestDb();
  const shortCode = newShortCode();
  const wallet = await openCustomer(own.db);
  await recordDeposit(own.db, sampleDeposit({ account: wallet, amount: '100.00', shortCode: '600999' }));
  const placed = await hold(own.db, { wallet, amount: '40.00', idempotencyKey: newKey() });
  const { reference } = await captureHold(own.db, {
    holdId: placed.id,
    to: 'MPESA-FLOAT',
    idempotencyKey: newKey(),
  });
  const run = await reconcile(own.db, untilNow(shortCode));
  expect(openOf(run)).toEqual([{ reference, state: 'missing_there', reason: 'withdrawal', amount: '40.00' }]);
  expect(run.report.controls.ledger.net).toBe('-40.00');
});

test('what comes too late for a closed period and no line shows says both in the period of its posting', async () => {
  const shortCode = newShortCode();
  const paid = payment(0, 20_00n);
  await callback(0, '20.00', { receipt: paid.receipt, shortCode });
  await importBook(database.db, [paid], { shortCode });
  const { id } = await closePeriod(database.db, { shortCode, ...BOOK_DAY, items: [], closedBy: 'ann' });
  const receipt = await callback(0, '150.00', { shortCode });
  const run = await reconcile(database.db, { ...untilNow(shortCode), from: BOOK_DAY.to });
  expect(openOf(run)).toEqual([
    { reference: receipt, state: 'missing_there', reason: 'late_for_closed_period', amount: '150.00' },
  ]);
  expect(run.report.controls.late).toEqual([{ reference: receipt, amount: '150.00', period: id }]);
});

const PLAIN =
  'Receipt No,Completion Time,Details,Transaction Status,Paid In (KSHs),Withdrawn (KSHs),Balance (KSHs)';
const csv = (...rows: readonly string[]) => `${[PLAIN, ...rows].join('\n')}\n`;

test('of two lines with one receipt that nobody reported one is healed, and the other one waits', async () => {
  const shortCode = newShortCode();
  const receipt = newReceipt();
  const line = (balance: string) =>
    `${receipt},01/03/2026 12:00:00,Pay Bill Online,Completed,150.00,0.00,${balance}`;
  await importBytes(database.db, csv(line('300.00'), line('150.00')), { shortCode });
  const before = await reconcileDay(database.db, shortCode);
  const missing = { reference: receipt, state: 'missing_here', amount: '150.00' };
  expect(openOf(before)).toHaveLength(2);
  expect(openOf(before)).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ ...missing, reason: 'repeated_receipt' }),
      // The end of the file is so near that its callback may come yet.
      expect.objectContaining({ ...missing, reason: 'callback_may_be_late' }),
    ]),
  );
  const after = await reconcileDay(database.db, shortCode, true);
  expect(after.healed).toBe(1);
  expect(openOf(after)).toEqual([{ ...missing, state: 'unexplained', reason: 'repeated_receipt' }]);
});

test('a reversal that gives money back, and a line that moves none, say what they are', async () => {
  const shortCode = newShortCode();
  const [back, idle] = [newReceipt(), newReceipt()];
  await importBytes(
    database.db,
    csv(
      `${back},01/03/2026 12:01:00,Organization Reversal of ${newReceipt()},Completed,30.00,0.00,130.00`,
      `${idle},01/03/2026 12:00:00,Change of PIN,Completed,0.00,0.00,100.00`,
    ),
    { shortCode },
  );
  const run = await reconcileDay(database.db, shortCode, true);
  expect(run.posted).toBe(0);
  expect(openOf(run)).toEqual([
    { reference: idle, state: 'unexplained', reason: 'other', amount: '0.00' },
    { reference: back, state: 'reversed', reason: 'not_posted_here', amount: '30.00' },
  ]);
});

test('a deposit is matched by a line of another day without being open, and the report of each day says what it moved', async () => {
  const shortCode = newShortCode();
  const nextDay = payment(12 * 60, 17_00n);
  await importBook(database.db, [nextDay], { shortCode });
  const receipt = await callback(11 * 60, '17.00', { receipt: nextDay.receipt, shortCode });
  const [movement] = await sql(
    'SELECT state, reason, is_open FROM services.mpesa_movement_states($1, $2, $3) WHERE reference = $4',
    [shortCode, ...[BOOK_DAY.from, BOOK_DAY.to].map((day) => day.toISOString().slice(0, -1)), receipt],
  );
  expect(movement).toEqual({ state: 'matched', reason: 'line_outside_period', is_open: false });
  const run = await reconcileDay(database.db, shortCode);
  expect([countsOf(run), run.report.breaks]).toEqual([{ matched: 1 }, []]);
});

test('a break that people work on says why as the report does, also when the reason comes later', async () => {
  const shortCode = newShortCode();
  const paid = payment(0, 150_00n);
  await importBook(database.db, [paid], { shortCode });
  await reconcileDay(database.db, shortCode);
  expect(await listBreaks(database.db, { shortCode })).toMatchObject([{ why: null, version: 1 }]);
  await recordDeposit(
    database.db,
    sampleDeposit({ receipt: paid.receipt, shortCode, amount: '150.00', paidAt: new Date(paid.at) }),
    { maxAmount: '5.00' },
  );
  for (let run = 0; run < 2; run += 1)
    expect(openOf(await reconcileDay(database.db, shortCode))[0]?.reason).toBe('held');
  expect(await listBreaks(database.db, { shortCode })).toMatchObject([{ why: 'held', version: 2 }]);
});
