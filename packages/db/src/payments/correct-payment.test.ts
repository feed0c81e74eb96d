import { expect, test } from 'vitest';
import type { BookEntry } from '@repo/statements/testing/statement-file';
import { transaction } from '../connection/transaction.ts';
import { auditLedger } from '../audit/audit-ledger.ts';
import { listCallbacks } from '../deposits/callback-list.ts';
import { resolveCallback } from '../deposits/deposit-decisions.ts';
import { findDeposit } from '../deposits/find-deposit.ts';
import { assignSuspense } from '../ledger/assign-suspense.ts';
import { reverseTransaction } from '../ledger/reversals.ts';
import { transfer } from '../ledger/transfers.ts';
import { balanceOf, openCustomer, setStatus } from '../testing/database/wallet-fixtures.ts';
import { openTestDb, useTestDb } from '../testing/database/test-db.ts';
import { newReceipt } from '../testing/deposits/sample-deposit.ts';
import { meet, tally, useRace } from '../testing/ledger/race.ts';
import { refusalOf } from '../testing/ledger/refusal.ts';
import { newKey, sampleTransfer } from '../testing/ledger/requests.ts';
import { accept, askFor, confirm, reportPaid, SHORT_CODE } from '../testing/payments.ts';
import { importBook, noonPlus, reconcileDay } from '../testing/statements.ts';
import { correctPayment } from './correct-payment.ts';
import type { PaymentCorrection } from './correct-payment.ts';
import { findPayment, paymentEvents } from './find-payment.ts';
import type { Payment } from './payment.ts';

const database = useTestDb();
const race = useRace(database);
const { sql } = database;

interface Astray {
  readonly payment: Payment;
  /** The wallet that the confirmation named. */
  readonly other: string;
  readonly receipt: string;
}

/** A payment whose confirmation named another wallet, which has the money. */
async function payAstray(to?: string): Promise<Astray> {
  const payment = await askFor(database.db, { wallet: await openCustomer(database.db) });
  await accept(database.db, payment);
  const [other, receipt] = [to ?? (await openCustomer(database.db)), newReceipt()];
  await confirm(database.db, payment, { receipt, account: other });
  await reportPaid(database.db, payment, { receipt });
  return { payment, other, receipt };
}

/** The same in the other order: the payment has its money when a confirmation names another wallet. */
async function nameAnother(): Promise<Astray> {
  const payment = await askFor(database.db, { wallet: await openCustomer(database.db) });
  const [other, receipt] = [await openCustomer(database.db), newReceipt()];
  await reportPaid(database.db, payment, { receipt });
  await confirm(database.db, payment, { receipt, account: other });
  return { payment, other, receipt };
}

function correction(
  { id }: Pick<Payment, 'id'>,
  { key = newKey(), ...facts }: { readonly key?: string; readonly receipt?: string } = {},
): PaymentCorrection {
  return { id, reason: 'the payer says so', decidedBy: 'ann', idempotencyKey: key, ...facts };
}

const correct = ({ payment }: Pick<Astray, 'payment'>, facts?: Parameters<typeof correction>[1]) =>
  correctPayment(database.db, correction(payment, facts));

test('the money moves to the wallet of its payment, once, and says who did it and why', async () => {
  const astray = await payAstray();
  const { payment, other, receipt } = astray;
  const key = newKey();
  const first = await correct(astray, { key });
  const reference = `AS-${receipt}`;
  expect(first).toEqual({
    receipt,
    reference,
    from: other,
    to: payment.wallet,
    amount: '150.00',
    replayed: false,
  });
  expect(await correct(astray, { key })).toEqual({ ...first, replayed: true });
  expect(await correct(astray)).toEqual({ ...first, replayed: true });
  expect([await balanceOf(sql, payment.wallet), await balanceOf(sql, other)]).toEqual(['150.00', '0.00']);
  expect(await findPayment(database.db, payment.id)).toMatchObject({ status: 'PAID', isFlagged: false });
  expect((await paymentEvents(database.db, payment.id)).at(-1)).toMatchObject({ kind: 'CORRECTED', receipt });
  expect((await findDeposit(database.db, receipt))?.decisions).toMatchObject([
    { decision: 'MOVED', decidedBy: 'ann', reason: 'the payer says so', reference },
  ]);
  expect(
    await sql(
      `SELECT template, message LIKE '%' || $2 || '%' AS is_theirs FROM services.sms_logs
        WHERE transaction_reference = $1 ORDER BY template`,
      [reference, payment.wallet],
    ),
  ).toEqual([
    { template: 'deposit', is_theirs: true },
    { template: 'reversal_debit', is_theirs: false },
  ]);
  expect(
    await sql('SELECT type, narrative FROM core.transactions WHERE reference = $1', [reference]),
  ).toEqual([
    { type: 'ASSIGNMENT', narrative: `Correction: M-PESA payment ${receipt} went to the wrong wallet` },
  ]);
});

test('a confirmation that names another wallet later flags the payment, and its money can be moved there', async () => {
  const named = await nameAnother();
  const { payment, other, receipt } = named;
  expect(await findPayment(database.db, payment.id)).toMatchObject({ status: 'PAID', isFlagged: true });
  expect(await balanceOf(sql, payment.wallet)).toBe('150.00');
  // Its repeats tell nothing new.
  await confirm(database.db, payment, { receipt, account: other });
  const kinds = (await paymentEvents(database.db, payment.id)).map(({ kind }) => kind);
  expect(kinds).toEqual(['REQUESTED', 'PAID', 'OTHER_WALLET']);
  expect(await correct(named)).toMatchObject({ from: payment.wallet, to: other, replayed: false });
  expect(await correct(named)).toMatchObject({ from: payment.wallet, to: other, replayed: true });
  expect([await balanceOf(sql, payment.wallet), await balanceOf(sql, other)]).toEqual(['0.00', '150.00']);
  expect(await findPayment(database.db, payment.id)).toMatchObject({ isFlagged: false });
});

test('money that its holder spends at the same time is moved or spent, and never both', async () => {
  for (let round = 0; round < 3; round += 1) {
    const astray = await payAstray();
    const { other, payment } = astray;
    const shop = await openCustomer(database.db);
    const told = await meet(race, other, [
      (db) => correctPayment(db, correction(payment)),
      (db) => transfer(db, sampleTransfer({ from: other, to: shop, amount: '150.00' })),
      (db) => correctPayment(db, correction(payment)),
    ]);
    const wasMoved = (await balanceOf(sql, payment.wallet)) === '150.00';
    expect(tally(told)).toEqual(
      wasMoved ? { done: 2, insufficient_funds: 1 } : { done: 1, insufficient_funds: 2 },
    );
    expect(await balanceOf(sql, shop)).toBe(wasMoved ? '0.00' : '150.00');
    expect(await balanceOf(sql, other)).toBe('0.00');
  }
});

test('of many people who correct one payment at once one moves its money, and all get the same answer', async () => {
  const astray = await payAstray();
  // There is money enough to move it several times.
  const more = await Promise.all(Array.from({ length: 4 }, () => payAstray(astray.other)));
  const answers = await Promise.all(Array.from({ length: 8 }, () => correct(astray)));
  expect(new Set(answers.map(({ reference }) => reference))).toEqual(new Set([`AS-${astray.receipt}`]));
  expect(answers.filter(({ replayed }) => !replayed)).toHaveLength(1);
  expect(await balanceOf(sql, astray.payment.wallet)).toBe('150.00');
  // Each from the same wallet at the same time, and none waits for another in a circle.
  await Promise.all(more.map((each) => correct(each)));
  expect(await balanceOf(sql, astray.other)).toBe('0.00');
});

test('a deposit is reversed or moved, whichever comes first, and never both', async () => {
  for (let round = 0; round < 4; round += 1) {
    const { payment, other, receipt } = await payAstray();
    // There is money enough for both.
    await payAstray(other);
    const told = await meet(race, other, [
      (db) => reverseTransaction(db, { reference: receipt, idempotencyKey: newKey() }),
      (db) => correctPayment(db, correction(payment)),
    ]);
    expect([
      ['done', 'already_reversed'],
      ['already_assigned', 'done'],
    ]).toContainEqual(told);
    expect(await balanceOf(sql, other)).toBe('150.00');
  }
});

test('a correction that was reversed can be made again, and a late repeat of the first does not make it', async () => {
  const astray = await payAstray();
  const key = newKey();
  const first = await correct(astray, { key });
  await reverseTransaction(database.db, { reference: first.reference, idempotencyKey: newKey() });
  expect(await balanceOf(sql, astray.other)).toBe('150.00');
  expect(await correct(astray, { key })).toEqual({ ...first, replayed: true });
  expect(await balanceOf(sql, astray.other)).toBe('150.00');
  expect(await correct(astray)).toMatchObject({ reference: `AS2-${astray.receipt}`, replayed: false });
  expect(await balanceOf(sql, astray.payment.wallet)).toBe('150.00');
});

test('it never overdraws, and a wallet that cannot pay or take the money is left alone', async () => {
  const spent = await payAstray();
  await transfer(
    database.db,
    sampleTransfer({ from: spent.other, to: spent.payment.wallet, amount: '0.01' }),
  );
  const key = newKey();
  expect(await refusalOf(correct(spent, { key }))).toBe('insufficient_funds');
  expect(await balanceOf(sql, spent.other)).toBe('149.99');
  const frozen = await payAstray();
  await setStatus(sql, frozen.other, 'FROZEN');
  expect(await refusalOf(correct(frozen))).toBe('wallet_frozen');
  // The refusal is remembered under its key, and the payment still waits for somebody.
  await transfer(
    database.db,
    sampleTransfer({ from: spent.payment.wallet, to: spent.other, amount: '0.01' }),
  );
  expect(await refusalOf(correct(spent, { key }))).toBe('insufficient_funds');
  expect(await findPayment(database.db, spent.payment.id)).toMatchObject({ isFlagged: true });
  expect((await correct(spent)).replayed).toBe(false);
});

test('what is in the right wallet, in suspense, of another payment or unknown is not corrected', async () => {
  const payment = await askFor(database.db, { wallet: await openCustomer(database.db) });
  expect(await refusalOf(correct({ payment }))).toBe('nothing_to_correct');
  const receipt = newReceipt();
  await reportPaid(database.db, payment, { receipt });
  expect(await refusalOf(correct({ payment }))).toBe('nothing_to_correct');
  // Another payment of ours claims the same receipt: its flag gives it no right to the money.
  const claimant = await askFor(database.db, { wallet: await openCustomer(database.db) });
  await reportPaid(database.db, claimant, { receipt });
  expect(await refusalOf(correct({ payment: claimant }, { receipt }))).toBe('nothing_to_correct');
  expect(await balanceOf(sql, payment.wallet)).toBe('150.00');
  const waiting = await askFor(database.db, { wallet: await openCustomer(database.db) });
  const lost = newReceipt();
  await confirm(database.db, waiting, { receipt: lost, account: 'NOBODY' });
  await assignSuspense(database.db, { receipt: lost, wallet: await openCustomer(database.db) });
  await reportPaid(database.db, waiting, { receipt: lost });
  expect(await refusalOf(correct({ payment: waiting }))).toBe('nothing_to_correct');
  for (const id of ['nonsense', '00000000-0000-7000-8000-000000000000']) {
    const unknown = { id, reason: 'r', decidedBy: 'ann', idempotencyKey: newKey() };
    expect(await refusalOf(correctPayment(database.db, unknown))).toBe('unknown_payment');
  }
});

test('a second receipt that went astray is moved by its name, and the payment stays flagged for it', async () => {
  const astray = await payAstray();
  const second = newReceipt();
  await confirm(database.db, astray.payment, { receipt: second, account: astray.other });
  await reportPaid(database.db, astray.payment, { receipt: second });
  await correct(astray, { receipt: second.toLowerCase() });
  await correct(astray);
  expect(await balanceOf(sql, astray.payment.wallet)).toBe('300.00');
  expect(await findPayment(database.db, astray.payment.id)).toMatchObject({ isFlagged: true });
});

test('a contradicted amount is not corrected in the wallet that the money has left', async () => {
  const astray = await payAstray();
  const { payment, other, receipt } = astray;
  await correct(astray);
  await confirm(database.db, payment, { receipt, account: other, amount: '250.00' });
  const { items } = await listCallbacks(database.db, { outcome: 'CONFLICT', receipt });
  const { reason, decidedBy, idempotencyKey } = correction(payment);
  const resolution = { id: items[0]?.id ?? '', decision: 'correct' as const, reason, decidedBy };
  const resolved = resolveCallback(database.db, { ...resolution, idempotencyKey });
  expect(await refusalOf(resolved)).toBe('not_correctable');
});

test('what M-PESA takes back is taken from the wallet that has the money', async () => {
  const astray = await payAstray();
  const { payment, other, receipt } = astray;
  await correct(astray);
  await payAstray(other);
  const paid: BookEntry = { receipt, at: noonPlus(0), what: 'payment', cents: 150_00n };
  const reversal: BookEntry = {
    receipt: newReceipt(),
    at: noonPlus(5),
    what: 'reversal',
    cents: 150_00n,
    undoes: receipt,
  };
  await importBook(database.db, [paid, reversal], { shortCode: SHORT_CODE });
  await reconcileDay(database.db, SHORT_CODE, true);
  expect([await balanceOf(sql, payment.wallet), await balanceOf(sql, other)]).toEqual(['0.00', '150.00']);
});

test('a key that was used for another correction is refused', async () => {
  const [one, another] = [await payAstray(), await payAstray()];
  const key = newKey();
  await correct(one, { key });
  expect(await refusalOf(correct(another, { key }))).toBe('key_reused');
});

test('the audit finds nothing wrong with money that was moved, and a correction in a transaction goes with it', async () => {
  await using own = await openTestDb();
  const wallet = await openCustomer(own.db);
  const payment = await askFor(own.db, { wallet });
  const [other, receipt] = [await openCustomer(own.db), newReceipt()];
  await confirm(own.db, payment, { receipt, account: other });
  await reportPaid(own.db, payment, { receipt });
  const request = { id: payment.id, reason: 'r', decidedBy: 'ann', idempotencyKey: newKey() };
  await expect(
    transaction(own.db, async (tx) => {
      await correctPayment(tx, request);
      throw new RangeError('the caller changed their mind');
    }),
  ).rejects.toThrow('changed their mind');
  expect(await balanceOf(own.sql, other)).toBe('150.00');
  expect(await correctPayment(own.db, request)).toMatchObject({ replayed: false });
  const { checks } = await auditLedger(own.db);
  expect(checks.flatMap(({ findings }) => findings)).toEqual([]);
});
