import { until } from '@repo/testing/until';
import { expect, test } from 'vitest';
import { transaction } from '../connection/transaction.ts';
import { assignSuspense } from '../ledger/assign-suspense.ts';
import { setStatus, balanceOf, openCustomer } from '../testing/database/wallet-fixtures.ts';
import { overCopies } from '../testing/database/nodes.ts';
import { throughDoor, useTestDb } from '../testing/database/test-db.ts';
import { newReceipt } from '../testing/deposits/sample-deposit.ts';
import { newKey } from '../testing/ledger/requests.ts';
import { accept, askFor, confirm, PAYER, reportFailed, reportPaid, SHORT_CODE } from '../testing/payments.ts';
import { findPayment, findPaymentByCheckout, listPayments, paymentEvents } from './find-payment.ts';
import { claimPayments, finishAssignment, notePaymentAnswer, notePaymentVerdict } from './payment-answers.ts';
import { recordUnproven } from './payment-reports.ts';
import type { Payment } from './payment.ts';
import { requestPayment } from './request-payment.ts';

const database = useTestDb();
const { sql } = database;

async function newPayment(facts: { readonly reference?: string } = {}): Promise<Payment> {
  const payment = await askFor(database.db, { wallet: await openCustomer(database.db), ...facts });
  await accept(database.db, payment);
  return payment;
}

const now = async ({ id }: Payment) => (await findPayment(database.db, id)) ?? expect.fail('it is gone');
const kindsOf = async ({ id }: Payment) =>
  (await paymentEvents(database.db, id)).map(({ kind, status }) => `${kind} ${status}`);

/** Messages about a receipt, its assignment included. */
const messagesAbout = (receipt: string) =>
  sql(
    `SELECT template, status FROM services.sms_logs WHERE transaction_reference IN ($1::text, 'AS-' || $1::text)`,
    [receipt],
  );

test('a repeated key gets the payment that was asked for, and another request with it is refused', async () => {
  const { db } = database;
  const [wallet, key] = [await openCustomer(database.db), newKey()];
  const first = await askFor(db, { wallet, key });
  expect(first).toMatchObject({
    status: 'REQUESTED',
    reference: wallet,
    description: 'Payment',
    phone: PAYER,
  });
  expect(await askFor(db, { wallet, key })).toEqual(first);
  await expect(askFor(db, { wallet, key, amount: '151.00' })).rejects.toMatchObject({ code: 'key_reused' });
});

test('of many requests with one key at once one payment is made', async () => {
  const { db } = database;
  const [wallet, key] = [await openCustomer(database.db), newKey()];
  const payments = await Promise.all(Array.from({ length: 8 }, () => askFor(db, { wallet, key })));
  expect(new Set(payments.map(({ id }) => id)).size).toBe(1);
  expect((await listPayments(db, { wallet })).payments).toHaveLength(1);
});

test.for([
  [{ amount: '10.50' }, 'invalid_amount'],
  [{ amount: '0' }, 'invalid_amount'],
  [{ phone: '12345' }, 'invalid_request'],
  [{ reference: 'thirteen char' }, 'invalid_request'],
  [{ reference: '' }, 'invalid_request'],
  [{ description: 'fourteen chars' }, 'invalid_request'],
  [{ wallet: '1000000000' }, 'unknown_wallet'],
  [{ wallet: 'SUSPENSE' }, 'unknown_wallet'],
] as const)('%j is refused with %s', async ([facts, code]) => {
  const request = {
    wallet: await openCustomer(database.db),
    amount: '10',
    phone: '0700000126',
    shortCode: SHORT_CODE,
    idempotencyKey: newKey(),
    leaseMs: 1_000,
  };
  await expect(requestPayment(database.db, { ...request, ...facts })).rejects.toMatchObject({ code });
});

test('a receipt settles a payment that was called failed, and a failure never unsettles one', async () => {
  const payment = await newPayment();
  await reportFailed(database.db, payment);
  expect(await now(payment)).toMatchObject({ status: 'FAILED', reason: 'cancelled', resultCode: '1032' });
  const receipt = newReceipt();
  expect(await reportPaid(database.db, payment, { receipt })).toMatchObject({ outcome: 'credited' });
  await reportFailed(database.db, payment);
  expect(await now(payment)).toMatchObject({ status: 'PAID', receipt, reason: null, isFlagged: false });
  expect(await kindsOf(payment)).toEqual([
    'REQUESTED REQUESTED',
    'ACCEPTED PENDING',
    'FAILED FAILED',
    'PAID PAID',
  ]);
});

test('a failure that is told while a receipt is being recorded waits for it, and is not noted', async () => {
  const payment = await newPayment();
  let failing: Promise<unknown> = Promise.resolve();
  await transaction(database.db, async (tx) => {
    await reportPaid(tx, payment, { receipt: newReceipt() });
    failing = reportFailed(database.db, payment);
    await until('the failure waiting for the payment', () =>
      sql(
        'SELECT 1 AS one FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = $1',
        ['Lock'],
      ).then((rows) => rows.length > 0),
    );
  });
  await failing;
  expect(await kindsOf(payment)).toEqual(['REQUESTED REQUESTED', 'ACCEPTED PENDING', 'PAID PAID']);
});

test('a second receipt for one payment is a second deposit, and flagged once', async () => {
  const payment = await newPayment();
  const [first, second] = [newReceipt(), newReceipt()];
  await reportPaid(database.db, payment, { receipt: first });
  await reportPaid(database.db, payment, { receipt: second });
  await reportPaid(database.db, payment, { receipt: second });
  expect(await now(payment)).toMatchObject({ status: 'PAID', receipt: first, isFlagged: true });
  expect((await kindsOf(payment)).slice(3)).toEqual(['SECOND_RECEIPT PAID']);
  expect(await balanceOf(sql, payment.wallet)).toBe('300.00');
});

test('a receipt of another payment settles nothing', async () => {
  const first = await newPayment();
  const receipt = newReceipt();
  await reportPaid(database.db, first, { receipt });
  const second = await askFor(database.db, { wallet: first.wallet });
  await reportPaid(database.db, second, { receipt });
  expect(await now(second)).toMatchObject({ status: 'REQUESTED', receipt: null, isFlagged: true });
  expect(await balanceOf(sql, first.wallet)).toBe('150.00');
});

test('money that a confirmation put into another wallet stays there, and the payment is flagged', async () => {
  const payment = await newPayment();
  const [other, receipt] = [await openCustomer(database.db), newReceipt()];
  await confirm(database.db, payment, { receipt, account: other });
  await reportPaid(database.db, payment, { receipt });
  expect(await now(payment)).toMatchObject({ status: 'PAID', receipt, isFlagged: true });
  expect((await kindsOf(payment)).at(-1)).toBe('OTHER_WALLET PAID');
  expect(await balanceOf(sql, other)).toBe('150.00');
  expect(await balanceOf(sql, payment.wallet)).toBe('0.00');
  expect(
    await sql(`SELECT kind, wallet_id FROM services.mpesa_witnesses WHERE receipt = $1`, [receipt]),
  ).toEqual([{ kind: 'STK_CALLBACK', wallet_id: payment.wallet }]);
});

test('a report with another amount than the one that is recorded moves nothing and is flagged', async () => {
  const payment = await newPayment();
  const receipt = newReceipt();
  await confirm(database.db, payment, { receipt, amount: '90.00' });
  expect(await reportPaid(database.db, payment, { receipt })).toMatchObject({ outcome: 'conflict' });
  expect(await now(payment)).toMatchObject({ status: 'UNKNOWN', reason: 'conflict', isFlagged: true });
  expect(await balanceOf(sql, payment.wallet)).toBe('90.00');
});

test("a confirmation with a request's own reference goes to its wallet, and the witnesses keep what each knows", async () => {
  const payment = await newPayment({ reference: `ORDER-${newReceipt().slice(-5)}` });
  const receipt = newReceipt();
  expect(await confirm(database.db, payment, { receipt })).toMatchObject({
    outcome: 'credited',
    wallet: payment.wallet,
  });
  expect(await reportPaid(database.db, payment, { receipt })).toMatchObject({ outcome: 'duplicate' });
  expect(await now(payment)).toMatchObject({ status: 'PAID', receipt, isFlagged: false });
  expect(await messagesAbout(receipt)).toEqual([{ template: 'deposit', status: 'PENDING' }]);
  const [log] = await sql(`SELECT account, payer_name FROM services.mpesa_logs WHERE mpesa_receipt = $1`, [
    receipt,
  ]);
  expect(log).toEqual({ account: payment.reference, payer_name: 'ATIENO' });
  expect(await sql(`SELECT kind, phone FROM services.mpesa_witnesses WHERE receipt = $1`, [receipt])).toEqual(
    [{ kind: 'STK_CALLBACK', phone: PAYER }],
  );
});

test('money that waits in suspense is due to be assigned when its request is reported as paid', async () => {
  const payment = await newPayment({ reference: 'SHOP' });
  const receipt = newReceipt();
  await confirm(database.db, payment, { receipt, account: 'SOMETHING ELSE' });
  expect(await reportPaid(database.db, payment, { receipt })).toMatchObject({ original: 'suspense' });
  expect(await claimPayments(database.db, { limit: 10, leaseMs: 60_000 })).toContainEqual({
    id: payment.id,
    task: 'ASSIGN',
  });
  await assignSuspense(database.db, { receipt, wallet: payment.wallet });
  await finishAssignment(database.db, payment.id, null);
  expect(await kindsOf(payment)).toContain('ASSIGNED PAID');
  expect(await balanceOf(sql, payment.wallet)).toBe('150.00');
});

test('a question that is answered with "paid" finds the one deposit that can be it, and waits where two can', async () => {
  const { db } = database;
  const verdict = { kind: 'CONFIRMED', reason: null, resultCode: '0' } as const;
  const payment = await newPayment();
  await notePaymentVerdict(db, { id: payment.id, verdict, dueMs: 60_000 });
  expect(await now(payment)).toMatchObject({ status: 'PENDING', reason: 'paid_without_receipt' });
  const receipt = newReceipt();
  await confirm(db, payment, { receipt });
  await notePaymentVerdict(db, { id: payment.id, verdict, dueMs: 60_000 });
  expect(await now(payment)).toMatchObject({ status: 'PAID', receipt });

  const doubtful = await newPayment();
  const twin = await askFor(db, { wallet: doubtful.wallet });
  await confirm(db, doubtful, { receipt: newReceipt() });
  await notePaymentVerdict(db, { id: doubtful.id, verdict, dueMs: null });
  expect(await now(doubtful)).toMatchObject({ status: 'UNKNOWN', reason: 'paid_without_receipt' });
  expect(await now(twin)).toMatchObject({ status: 'REQUESTED' });
});

test("a till's payer, whose number came masked, is told once: when the callback of the request brings the number", async () => {
  const { db } = database;
  const payment = await newPayment();
  const receipt = newReceipt();
  await confirm(db, payment, { receipt, account: '' });
  expect(await messagesAbout(receipt)).toEqual([{ template: 'deposit_suspense', status: 'FAILED' }]);
  await reportPaid(db, payment, { receipt });
  await assignSuspense(db, { receipt, wallet: payment.wallet });
  await finishAssignment(db, payment.id, null);
  const rows = await overCopies(sql)(
    `SELECT l.template, l.status, l.phase, l.error_code, l.transaction_reference, l.recipient = w.phone AS is_theirs,
            l.message LIKE $2 || ': %150.00%' || w.id || '%' AS is_about_it
       FROM services.sms_logs l JOIN core.wallets w ON w.id = $3
      WHERE l.transaction_reference IN ($1::text, $2::text)`,
    [receipt, `AS-${receipt}`, payment.wallet],
  );
  expect(rows).toEqual([
    {
      template: 'suspense_assigned',
      status: 'PENDING',
      phase: 'QUEUED',
      error_code: null,
      transaction_reference: `AS-${receipt}`,
      is_theirs: true,
      is_about_it: true,
    },
  ]);
});

test('a payer whose number came masked learns that the money waits, where it cannot be moved to the wallet', async () => {
  const { db } = database;
  const payment = await newPayment();
  const receipt = newReceipt();
  await confirm(db, payment, { receipt, account: '' });
  await setStatus(sql, payment.wallet, 'FROZEN');
  await reportPaid(db, payment, { receipt });
  await finishAssignment(db, payment.id, 'wallet_frozen');
  const rows = await sql(
    `SELECT template, status, recipient FROM services.sms_logs WHERE transaction_reference = $1`,
    [receipt],
  );
  expect(rows).toEqual([{ template: 'deposit_suspense', status: 'PENDING', recipient: PAYER }]);
});

test('a payment that was in suspense for long is told again, and the record stays that its payer was not', async () => {
  const { db } = database;
  const payment = await newPayment();
  const receipt = newReceipt();
  await confirm(db, payment, { receipt, account: '' });
  await throughDoor(
    sql,
    `UPDATE services.sms_logs SET created_at = created_at - interval '2 hours' WHERE transaction_reference = $1`,
    [receipt],
  );
  await assignSuspense(db, { receipt, wallet: payment.wallet });
  expect(await messagesAbout(receipt)).toEqual(
    expect.arrayContaining([
      { template: 'deposit_suspense', status: 'FAILED' },
      { template: 'suspense_assigned', status: 'PENDING' },
    ]),
  );
});

test('an open question is asked again and ends as unknown, and a receipt settles that too', async () => {
  const { db } = database;
  const verdict = { kind: 'OPEN', reason: 'being_processed', resultCode: '4999' } as const;
  const payment = await newPayment();
  await notePaymentVerdict(db, { id: payment.id, verdict, dueMs: 0 });
  expect(await now(payment)).toMatchObject({ status: 'PENDING' });
  expect(await claimPayments(db, { limit: 50, leaseMs: 60_000 })).toContainEqual({
    id: payment.id,
    task: 'QUERY',
  });
  await notePaymentVerdict(db, { id: payment.id, verdict, dueMs: null });
  expect(await now(payment)).toMatchObject({ status: 'UNKNOWN', reason: 'no_result', checks: 1 });
  const receipt = newReceipt();
  await reportPaid(db, payment, { receipt });
  expect(await now(payment)).toMatchObject({ status: 'PAID', receipt });
});

test('an attempt that nobody answers for is unknown, and is never sent again', async () => {
  const { db } = database;
  const wallet = await openCustomer(database.db);
  const lost = await requestPayment(db, {
    wallet,
    amount: '10',
    phone: PAYER,
    shortCode: SHORT_CODE,
    idempotencyKey: newKey(),
    leaseMs: 0,
  });
  const { id } = lost.payment;
  expect((await claimPayments(db, { limit: 50, leaseMs: 60_000 })).map((task) => task.id)).not.toContain(id);
  expect(await findPayment(db, id)).toMatchObject({ status: 'UNKNOWN', reason: 'answer_lost', attempts: 1 });
  expect((await claimPayments(db, { limit: 50, leaseMs: 60_000 })).map((task) => task.id)).not.toContain(id);
});

test('what was too busy is sent again by one of many, counted, and given up at the end', async () => {
  const { db } = database;
  const { id } = await askFor(db, { wallet: await openCustomer(database.db) });
  const busy = { kind: 'RETRY', reason: 'provider_busy', resultCode: '500.003.02' } as const;
  await notePaymentAnswer(db, { id, attempt: 1, answer: { ...busy, dueMs: 0 } });
  const isIt = (task: { readonly id: string }) => task.id === id;
  // Another process looks while the first one has taken it and has not committed yet.
  const claims = await transaction(db, async (first) => [
    await claimPayments(first, { limit: 50, leaseMs: 60_000 }),
    await claimPayments(db, { limit: 50, leaseMs: 60_000 }),
  ]);
  expect(claims.map((tasks) => tasks.filter(isIt))).toEqual([[{ id, task: 'SEND' }], []]);
  expect(await findPayment(db, id)).toMatchObject({ status: 'REQUESTED', attempts: 2 });
  // The answer to the first attempt comes twice: it says nothing about the second.
  await notePaymentAnswer(db, { id, attempt: 1, answer: { ...busy, dueMs: null } });
  expect(await findPayment(db, id)).toMatchObject({ status: 'REQUESTED' });
  await notePaymentAnswer(db, { id, attempt: 2, answer: { ...busy, dueMs: null } });
  expect(await findPayment(db, id)).toMatchObject({ status: 'FAILED', reason: 'provider_busy' });
});

test('a report that proves nothing is kept, credits nobody, and its receipt is asked about once', async () => {
  const { db } = database;
  const receipt = newReceipt();
  const unproven = {
    payment: null,
    kind: 'STK_CALLBACK',
    receipt,
    reason: 'unknown_checkout',
    phone: PAYER,
    source: null,
    body: Buffer.from('{}'),
    dueMs: 0,
  } as const;
  await recordUnproven(db, unproven);
  await recordUnproven(db, unproven);
  expect(await sql(`SELECT outcome FROM services.mpesa_callbacks WHERE receipt = $1`, [receipt])).toEqual([
    { outcome: 'QUARANTINED' },
    { outcome: 'QUARANTINED' },
  ]);
  expect(await sql(`SELECT status FROM services.mpesa_inquiries WHERE receipt = $1`, [receipt])).toEqual([
    { status: 'OPEN' },
  ]);
  expect(await sql(`SELECT FROM core.transactions WHERE reference = $1`, [receipt])).toEqual([]);
});

test('a payment is found by its CheckoutRequestID, unless two have it', async () => {
  const { db } = database;
  const wallet = await openCustomer(database.db);
  const [first, second] = [await askFor(db, { wallet }), await askFor(db, { wallet })];
  await accept(db, first, 'ws_CO_1');
  expect(await findPaymentByCheckout(db, 'ws_CO_1')).toMatchObject({ id: first.id });
  await accept(db, second, 'ws_CO_1');
  expect(await findPaymentByCheckout(db, 'ws_CO_1')).toBeNull();
});

test('a wallet that was frozen meanwhile keeps the money out, in suspense', async () => {
  const payment = await newPayment();
  await setStatus(sql, payment.wallet, 'FROZEN');
  const receipt = newReceipt();
  expect(await reportPaid(database.db, payment, { receipt })).toMatchObject({
    outcome: 'suspense',
    reason: 'wallet_frozen',
  });
  expect(await now(payment)).toMatchObject({ status: 'PAID', receipt });
});
