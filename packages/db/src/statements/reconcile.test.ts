import fc from 'fast-check';
import { expect, test } from 'vitest';
import { books, styles } from '@repo/statements/testing/arbitraries';
import { netOf, statementFile } from '@repo/statements/testing/statement-file';
import type { BookEntry } from '@repo/statements/testing/statement-file';
import { recordDeposit } from '../deposits/record-deposits.ts';
import { reverseTransaction } from '../ledger/reversals.ts';
import { newReceipt, sampleDeposit } from '../testing/deposits/sample-deposit.ts';
import { newKey } from '../testing/ledger/requests.ts';
import { useTestDb, valueOf } from '../testing/database/test-db.ts';
import { openCustomer } from '../testing/database/wallet-fixtures.ts';
import {
  BOOK_DAY,
  countsOf,
  importBook,
  importBytes,
  newShortCode,
  noonPlus,
  reconcileDay,
} from '../testing/statements.ts';
import { findReconciliation, reconcile } from './reconcile.ts';

const database = useTestDb();
const { sql } = database;

function payment(facts: Partial<BookEntry> = {}): BookEntry {
  return { receipt: newReceipt(), at: noonPlus(0), what: 'payment', cents: 150_00n, ...facts };
}

/** The callback of an entry, as M-PESA would have sent it. */
function callbackOf(entry: BookEntry, shortCode: string, amount = entry.cents) {
  const digits = amount.toString().padStart(3, '0');
  return sampleDeposit({
    receipt: entry.receipt,
    shortCode,
    amount: `${digits.slice(0, -2)}.${digits.slice(-2)}`,
    paidAt: new Date(entry.at),
  });
}

test('each line and each movement has the one state that a person would write down', async () => {
  const shortCode = newShortCode();
  const wallet = await openCustomer(database.db);
  const paid = payment();
  const dearer = payment();
  const lost = payment();
  const takenBack = payment();
  const refunded = payment();
  const book: BookEntry[] = [
    paid,
    { ...paid, what: 'charge', cents: 50n },
    dearer,
    lost,
    takenBack,
    refunded,
    payment({ what: 'failed' }),
    payment({ what: 'sweep', cents: 100_00n }),
    payment({ what: 'payout', cents: 77_00n }),
    payment({ what: 'reversal', cents: takenBack.cents, undoes: takenBack.receipt }),
    payment({ what: 'reversal', cents: refunded.cents, undoes: refunded.receipt }),
  ];
  const forged = payment();
  const undone = payment();
  await recordDeposit(database.db, callbackOf(paid, shortCode));
  await recordDeposit(database.db, callbackOf(dearer, shortCode, 151_00n));
  for (const entry of [refunded, undone])
    await recordDeposit(database.db, { ...callbackOf(entry, shortCode), account: wallet });
  await recordDeposit(database.db, callbackOf(forged, shortCode));
  for (const { receipt } of [refunded, undone])
    await reverseTransaction(database.db, { reference: receipt, idempotencyKey: newKey() });
  await importBook(database.db, book, { shortCode });

  const { report } = await reconcileDay(database.db, shortCode);
  expect(report.totals).toEqual({
    matched: { lines: 2, amount: '300.00' },
    missing_here: { lines: 1, amount: '150.00' },
    missing_there: { lines: 1, amount: '150.00' },
    amount_differs: { lines: 1, amount: '150.00' },
    // Taken back before we knew of it (both lines), refunded by us and by M-PESA, and a deposit that only we undid.
    reversed: { lines: 4, amount: '600.00' },
    charge: { lines: 1, amount: '0.50' },
    sweep: { lines: 1, amount: '100.00' },
    not_completed: { lines: 1, amount: '150.00' },
    unexplained: { lines: 1, amount: '77.00' },
  });
  expect(new Map(report.breaks.map(({ state, reference }) => [state, reference]))).toEqual(
    new Map([
      ['missing_here', lost.receipt],
      ['missing_there', forged.receipt],
      ['amount_differs', dearer.receipt],
      ['unexplained', book[8]?.receipt],
    ]),
  );
  const sums = Object.values(report.controls.itemised).map((text) => Number(text.replace('.', '')));
  expect(sums.reduce((a, b) => a + b, 0)).toBe(Number(report.controls.difference.replace('.', '')));
});

test('what the callbacks missed is credited once, also when they come later or at the same time', async () => {
  const shortCode = newShortCode();
  const wallet = await openCustomer(database.db);
  const book = Array.from({ length: 20 }, (_, i) => payment({ account: wallet, at: noonPlus(i) }));
  await importBook(database.db, book, { shortCode });
  const late = book.map((entry) =>
    recordDeposit(database.db, { ...callbackOf(entry, shortCode), account: wallet }),
  );
  const healers = [reconcileDay(database.db, shortCode, true), reconcileDay(database.db, shortCode, true)];
  await Promise.all([...late, ...healers]);
  for (const entry of book) {
    expect(
      await recordDeposit(database.db, { ...callbackOf(entry, shortCode), account: wallet }),
    ).toMatchObject({ outcome: 'duplicate', wallet });
  }
  expect(await valueOf(sql, 'SELECT balance::text FROM core.wallets WHERE id = $1', [wallet])).toBe(
    '3000.00',
  );
  expect(countsOf(await reconcileDay(database.db, shortCode))).toEqual({ matched: 20 });
});

test('healing leaves alone what M-PESA took back, and what a person must look at', async () => {
  const shortCode = newShortCode();
  const takenBack = payment();
  await importBook(
    database.db,
    [takenBack, payment({ what: 'reversal', undoes: takenBack.receipt }), payment({ receipt: 'TC1' })],
    { shortCode },
  );
  const { healed, report } = await reconcileDay(database.db, shortCode, true);
  expect(healed).toBe(0);
  expect(report.breaks).toMatchObject([
    { state: 'missing_here', reference: 'TC1', reason: 'receipt_not_usable' },
  ]);
});

test('files in any order, with their rows in any order, make the same report byte for byte', async () => {
  await fc.assert(
    fc.asyncProperty(
      books(),
      fc.array(styles(), { minLength: 2, maxLength: 3 }),
      fc.nat(),
      async (made, manners, cut) => {
        const split = cut % made.length;
        const at = (place: number) => made.slice(0, place).reduce((sum, entry) => sum + netOf(entry), 0n);
        const shortCode = newShortCode();
        // Every second file begins in the middle of the day.
        const files = await Promise.all(
          manners.map((style, i) => {
            const from = i % 2 === 0 ? 0 : split;
            return statementFile(made.slice(from), { ...style, opening: at(from), shortCode });
          }),
        );
        const texts: string[] = [];
        for (const order of [files, files.toReversed()]) {
          await sql('SET session_replication_role = replica');
          await sql('DELETE FROM services.mpesa_matches');
          await sql('DELETE FROM services.mpesa_statement_lines WHERE short_code = $1', [shortCode]);
          await sql('DELETE FROM services.mpesa_statements WHERE short_code = $1', [shortCode]);
          await sql('RESET session_replication_role');
          for (const bytes of order) await importBytes(database.db, bytes, { shortCode });
          const { report, text } = await reconcileDay(database.db, shortCode);
          // Each line of the day is in one state.
          const ofDay = made.filter((entry) => entry.at < BOOK_DAY.to.getTime());
          expect(Object.values(report.totals).reduce((sum, { lines }) => sum + lines, 0)).toBe(ofDay.length);
          texts.push(text);
        }
        expect(texts[1]).toBe(texts[0]);
      },
    ),
    { numRuns: 10 },
  );
});

test('each run is kept, and the report is answered as it was', async () => {
  const shortCode = newShortCode();
  await importBook(database.db, [payment()], { shortCode });
  const first = await reconcileDay(database.db, shortCode);
  const second = await reconcileDay(database.db, shortCode);
  expect(second.text).toBe(first.text);
  expect(await findReconciliation(database.db, first.report.id)).toBe(first.text);
  const runs = 'SELECT count(*)::int FROM services.mpesa_reconciliation_runs WHERE reconciliation_id = $1';
  expect(await valueOf(sql, runs, [first.report.id])).toBe(2);
  await expect(findReconciliation(database.db, 'x')).rejects.toMatchObject({
    code: 'unknown_reconciliation',
  });
  const backwards = reconcile(database.db, { shortCode, from: BOOK_DAY.to, to: BOOK_DAY.from });
  await expect(backwards).rejects.toMatchObject({ code: 'invalid_request' });
});

test('a hundred rounds of two importers and two reconcilers use no line and no movement twice', async () => {
  const shortCode = newShortCode();
  const DAY_MS = 86_400_000;
  // Each round has a day of its own, the one before: what earlier rounds have settled would only be compared again.
  const dayOf = (round: number) => ({
    from: new Date(BOOK_DAY.from.getTime() - round * DAY_MS),
    to: new Date(BOOK_DAY.to.getTime() - round * DAY_MS),
  });
  for (let round = 0; round < 100; round += 1) {
    const book = Array.from({ length: 4 }, (_, i) => payment({ at: noonPlus(i) - round * DAY_MS }));
    const [first] = book;
    if (first !== undefined) await recordDeposit(database.db, callbackOf(first, shortCode));
    await Promise.all([
      importBook(database.db, book, { shortCode, form: 'A' }),
      importBook(database.db, book.slice(0, 3), { shortCode, form: 'B' }),
      reconcile(database.db, { shortCode, ...dayOf(round), heal: round % 2 === 0 }),
      reconcile(database.db, { shortCode, ...dayOf(round), heal: true }),
    ]);
  }
  const all = { from: dayOf(99).from, to: dayOf(0).to };
  const { report } = await reconcile(database.db, { shortCode, ...all, heal: true });
  expect(report.breaks).toEqual([]);
  expect(report.totals.matched).toEqual({ lines: 400, amount: '60000.00' });
  const movements = `SELECT count(DISTINCT m.transaction_id)::int FROM services.mpesa_matches m
    JOIN services.mpesa_statement_lines l ON l.id = m.line_id WHERE l.short_code = $1`;
  expect(await valueOf(sql, movements, [shortCode])).toBe(400);
});

const WITHOUT_BALANCE =
  'Receipt No,Completion Time,Details,Transaction Status,Paid In (KSHs),Withdrawn (KSHs)';

test('a second line with the receipt of a payment explains nothing, whichever comes first', async () => {
  const shortCode = newShortCode();
  const entry = payment();
  await recordDeposit(database.db, callbackOf(entry, shortCode));
  await importBook(database.db, [entry], { shortCode });
  await reconcileDay(database.db, shortCode);
  const second = `${WITHOUT_BALANCE}\n${entry.receipt},01/03/2026 12:00:00,Pay Bill Online,Completed,150.00,0.00\n`;
  await importBytes(database.db, second, { shortCode });
  const runs = await Promise.all([
    reconcileDay(database.db, shortCode, true),
    reconcileDay(database.db, shortCode),
  ]);
  for (const run of runs) {
    expect(countsOf(run)).toEqual({ matched: 1, unexplained: 1 });
    expect(run.report.breaks).toMatchObject([{ reference: entry.receipt, reason: 'repeated_receipt' }]);
  }
});
