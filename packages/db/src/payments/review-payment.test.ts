import { expect, test } from 'vitest';
import { listCallbacks } from '../deposits/callback-list.ts';
import { resolveCallback } from '../deposits/deposit-decisions.ts';
import { transaction } from '../connection/transaction.ts';
import { findDeposit } from '../deposits/find-deposit.ts';
import { untilWaiting } from '../testing/database/lock-waiters.ts';
import { useTestDb } from '../testing/database/test-db.ts';
import { isDaftariError } from '../errors.ts';
import { balanceOf, openCustomer } from '../testing/database/wallet-fixtures.ts';
import { newReceipt } from '../testing/deposits/sample-deposit.ts';
import { refusalOf } from '../testing/ledger/refusal.ts';
import { newKey } from '../testing/ledger/requests.ts';
import { accept, askFor, confirm, reportPaid } from '../testing/payments.ts';
import { correctPayment } from './correct-payment.ts';
import { findPayment, listPayments, paymentEvents } from './find-payment.ts';
import type { Payment } from './payment.ts';
import { reviewPayment } from './review-payment.ts';

const database = useTestDb();

async function newPayment(): Promise<Payment> {
  const payment = await askFor(database.db, { wallet: await openCustomer(database.db) });
  await accept(database.db, payment);
  return payment;
}

/** A payment with two receipts: both are deposits. */
async function payTwice(): Promise<{ readonly payment: Payment; readonly second: string }> {
  const [payment, second] = [await newPayment(), newReceipt()];
  await reportPaid(database.db, payment, { receipt: newReceipt() });
  await reportPaid(database.db, payment, { receipt: second });
  return { payment, second };
}

/** A payment that has its money when a confirmation names another wallet. */
async function nameAnother(payment: Payment): Promise<string> {
  const receipt = newReceipt();
  await reportPaid(database.db, payment, { receipt });
  await confirm(database.db, payment, { receipt, account: await openCustomer(database.db) });
  return receipt;
}

const decided = (key = newKey()) => ({ decidedBy: 'ann', reason: 'both were meant', idempotencyKey: key });
const review = ({ id }: Pick<Payment, 'id'>, key?: string) =>
  reviewPayment(database.db, { id, ...decided(key) });
const isFlagged = async ({ id }: Payment) => (await findPayment(database.db, id))?.isFlagged;

test('a payment that was paid twice leaves the list once a person has dealt with it, and says who did', async () => {
  const { payment, second } = await payTwice();
  const listed = async () => {
    const { payments } = await listPayments(database.db, { flagged: true, wallet: payment.wallet });
    return payments.map(({ id }) => id);
  };
  expect(await listed()).toEqual([payment.id]);
  expect(await review(payment)).toEqual({ replayed: false });
  expect(await listed()).toEqual([]);
  const events = await paymentEvents(database.db, payment.id);
  expect(events.slice(-2)).toMatchObject([
    { kind: 'SECOND_RECEIPT', receipt: second },
    { kind: 'REVIEWED', receipt: second, status: 'PAID' },
  ]);
  expect((await findDeposit(database.db, second))?.decisions).toMatchObject([
    { decision: 'REVIEWED', decidedBy: 'ann', reason: 'both were meant', reference: null },
  ]);
  expect(await balanceOf(database.sql, payment.wallet)).toBe('300.00');
});

test('a contradiction that comes after the review flags the payment again, and takes another review', async () => {
  const { payment } = await payTwice();
  await review(payment);
  const third = newReceipt();
  await reportPaid(database.db, payment, { receipt: third });
  expect(await isFlagged(payment)).toBe(true);
  await review(payment);
  expect(await isFlagged(payment)).toBe(false);
  expect((await findDeposit(database.db, third))?.decisions).toHaveLength(1);
});

test('another contradiction of a receipt that was reviewed takes a review of its own', async () => {
  const { payment, second } = await payTwice();
  await review(payment);
  await confirm(database.db, payment, { receipt: second, account: await openCustomer(database.db) });
  expect(await isFlagged(payment)).toBe(true);
  expect(await review(payment)).toEqual({ replayed: false });
  expect(await isFlagged(payment)).toBe(false);
  const decisions = (await findDeposit(database.db, second))?.decisions;
  expect(decisions?.map(({ decision }) => decision)).toEqual(['REVIEWED', 'REVIEWED']);
});

test('what a message said that contradicts the payment still waits for the decision about it', async () => {
  const { payment, second } = await payTwice();
  await reportPaid(database.db, payment, { receipt: second, amount: '151.00' });
  await review(payment);
  expect(await isFlagged(payment)).toBe(true);
  expect(await refusalOf(review(payment))).toBe('nothing_to_review');
  const { items } = await listCallbacks(database.db, { receipt: second, limit: 100 });
  const { id } = items.find(({ outcome }) => outcome === 'CONFLICT') ?? expect.fail('there is no conflict');
  await resolveCallback(database.db, { id, decision: 'keep', ...decided() });
  expect(await isFlagged(payment)).toBe(false);
});

test('money that another wallet is said to have stays, and can still be moved after the review', async () => {
  const payment = await newPayment();
  const receipt = await nameAnother(payment);
  await review(payment);
  expect(await isFlagged(payment)).toBe(false);
  expect(await balanceOf(database.sql, payment.wallet)).toBe('150.00');
  await correctPayment(database.db, { id: payment.id, receipt, ...decided() });
  expect(await balanceOf(database.sql, payment.wallet)).toBe('0.00');
  expect(await isFlagged(payment)).toBe(false);
});

test('a decision about something else leaves a reviewed payment as it is', async () => {
  const { payment } = await payTwice();
  const receipt = await nameAnother(payment);
  await review(payment);
  await reportPaid(database.db, payment, { receipt, amount: '151.00' });
  expect(await isFlagged(payment)).toBe(true);
  await correctPayment(database.db, { id: payment.id, receipt, ...decided() });
  expect(await isFlagged(payment)).toBe(true);
  const { items } = await listCallbacks(database.db, { receipt, limit: 100 });
  const { id } = items.find(({ outcome }) => outcome === 'CONFLICT') ?? expect.fail('there is no conflict');
  await resolveCallback(database.db, { id, decision: 'keep', ...decided() });
  expect(await isFlagged(payment)).toBe(false);
});

test('a receipt that belongs to another payment can be dealt with, too', async () => {
  const [first, claimant, receipt] = [await newPayment(), await newPayment(), newReceipt()];
  await reportPaid(database.db, first, { receipt });
  await reportPaid(database.db, claimant, { receipt });
  const kinds = (await paymentEvents(database.db, claimant.id)).map(({ kind }) => kind);
  expect(kinds).toContain('OTHER_PAYMENT');
  await review(claimant);
  expect(await isFlagged(claimant)).toBe(false);
});

test('a review is one for its key, and what needs none is refused', async () => {
  const { payment } = await payTwice();
  const key = newKey();
  expect(await review(payment, key)).toEqual({ replayed: false });
  expect(await review(payment, key)).toEqual({ replayed: true });
  expect(await refusalOf(review(payment))).toBe('nothing_to_review');
  expect(
    await refusalOf(
      reviewPayment(database.db, { id: payment.id, ...decided(key), reason: 'another reason' }),
    ),
  ).toBe('key_reused');
  expect(await refusalOf(review(await newPayment()))).toBe('nothing_to_review');
  const nobodys = { id: '00000000-0000-7000-8000-000000000000' };
  expect(await refusalOf(review(nobodys))).toBe('unknown_payment');
  expect(await refusalOf(review({ id: 'x' }))).toBe('unknown_payment');
});

test('of several people who review at once one decides', async () => {
  const { db, url } = database;
  const { payment, second } = await payTwice();
  const people = 4;
  let reviews: Promise<string>[] = [];
  await transaction(db, async (tx) => {
    await tx.run(HOLD, [payment.id]);
    reviews = Array.from({ length: people }, () =>
      review(payment).then(
        () => 'done',
        (error: unknown) => (isDaftariError(error) ? error.code : String(error)),
      ),
    );
    await untilWaiting(url, people);
  });
  expect((await Promise.all(reviews)).toSorted()).toEqual([
    'done',
    ...Array<string>(people - 1).fill('nothing_to_review'),
  ]);
  expect((await findDeposit(db, second))?.decisions).toHaveLength(1);
});

const HOLD = {
  name: 'test_hold_payment',
  text: 'SELECT 1 AS one FROM services.mpesa_payments WHERE id = $1::uuid FOR UPDATE',
};
