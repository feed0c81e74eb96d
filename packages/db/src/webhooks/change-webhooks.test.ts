import { afterEach, expect, test } from 'vitest';
import type { BookEntry } from '@repo/statements/testing/statement-file';
import { transaction } from '../connection/transaction.ts';
import { listCallbacks } from '../deposits/callback-list.ts';
import { markRefund, resolveCallback } from '../deposits/deposit-decisions.ts';
import { recordDeposit } from '../deposits/record-deposits.ts';
import { assignByPerson, assignSuspense } from '../ledger/assign-suspense.ts';
import { reverseTransaction } from '../ledger/reversals.ts';
import { transfer } from '../ledger/transfers.ts';
import { correctPayment } from '../payments/correct-payment.ts';
import { openTestDb, useTestDb } from '../testing/database/test-db.ts';
import { openCustomer } from '../testing/database/wallet-fixtures.ts';
import { newReceipt, sampleDeposit } from '../testing/deposits/sample-deposit.ts';
import { refusalOf } from '../testing/ledger/refusal.ts';
import { newKey, sampleTransfer } from '../testing/ledger/requests.ts';
import { askFor, confirm, reportPaid, SHORT_CODE } from '../testing/payments.ts';
import { importBook, noonPlus, reconcileDay } from '../testing/statements.ts';
import { disableWebhook, registerWebhook, WEBHOOK_EVENTS } from './webhooks.ts';

const database = useTestDb();
const { sql } = database;
const PAID_AT = new Date('2026-03-01T06:30:00.000Z');

const webhooks: string[] = [];
afterEach(async () => {
  for (const id of webhooks.splice(0)) {
    await disableWebhook(database.db, { id, by: 'tests', reason: 'by_person' });
  }
});

/** Registers an endpoint that wants everything from now on. */
async function follow(): Promise<void> {
  const endpoint = { url: 'https://app.example.com/', sealedSecret: Buffer.from('sealed'), by: 'tests' };
  webhooks.push(await registerWebhook(database.db, { ...endpoint, events: WEBHOOK_EVENTS }));
}

interface Told {
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** What endpoints get about a receipt, in the order in which it was queued. */
async function toldOf(receipt: string): Promise<Told[]> {
  const rows = await sql(
    `SELECT type, data FROM services.webhook_events WHERE data ->> 'receipt' = $1 ORDER BY id`,
    [receipt],
  );
  return rows.map(({ type, data }) => ({ type: String(type), data: data as Told['data'] }));
}

const decided = () => ({ decidedBy: 'ann', reason: 'the payer says so', idempotencyKey: newKey() });

/** A payment of 150.00 that waits in suspense; the endpoint is registered after it. */
async function waiting(): Promise<string> {
  const receipt = newReceipt();
  await recordDeposit(database.db, sampleDeposit({ receipt, account: 'NOBODY' }));
  await follow();
  return receipt;
}

test('an assignment out of suspense is told once, whoever assigns, and a refused or repeated one is not', async () => {
  const { db } = database;
  const receipt = await waiting();
  const wallet = await openCustomer(db);
  expect(await refusalOf(assignSuspense(db, { receipt, wallet: '1000000009' }))).toBe('unknown_wallet');
  expect(await toldOf(receipt)).toEqual([]);
  const key = newKey();
  const { createdAt } = await assignByPerson(db, { receipt, wallet, ...decided(), idempotencyKey: key });
  await assignByPerson(db, { receipt, wallet, ...decided(), idempotencyKey: key });
  await assignSuspense(db, { receipt, wallet });
  expect(await refusalOf(assignSuspense(db, { receipt, wallet: await openCustomer(db) }))).toBe(
    'already_assigned',
  );
  const [{ data } = expect.fail('nothing was told'), ...more] = await toldOf(receipt);
  expect(more).toEqual([]);
  expect(data).toEqual({
    receipt,
    outcome: 'assigned',
    amount: '150.00',
    currency: 'KES',
    wallet,
    from: null,
    reference: `AS-${receipt}`,
    reason: null,
    remaining: '150.00',
    shortCode: '600123',
    paidAt: PAID_AT.toISOString(),
    recordedAt: createdAt.toISOString(),
  });
});

test('the reversal of an assignment is told as money that waits again, and the next assignment as another one', async () => {
  const { db } = database;
  const receipt = await waiting();
  const [wrong, right] = [await openCustomer(db), await openCustomer(db)];
  await assignSuspense(db, { receipt, wallet: wrong });
  const reversal = await reverseTransaction(db, { reference: `AS-${receipt}`, idempotencyKey: newKey() });
  await assignSuspense(db, { receipt, wallet: right });
  expect(await toldOf(receipt)).toMatchObject([
    { type: 'deposit.assigned', data: { wallet: wrong, from: null } },
    {
      type: 'deposit.suspense',
      data: { wallet: null, from: wrong, reference: reversal.reference, reason: 'assignment_reversed' },
    },
    { type: 'deposit.assigned', data: { wallet: right, from: null, reference: `AS2-${receipt}` } },
  ]);
});

test('a reversal of a deposit is told with what is left of it, part by part, and a refused or repeated one is not', async () => {
  const { db } = database;
  const [wallet, receipt] = [await openCustomer(db), newReceipt()];
  await recordDeposit(db, sampleDeposit({ receipt, account: wallet }));
  await follow();
  const idempotencyKey = newKey();
  const part = { reference: receipt, amount: '50.00', idempotencyKey };
  const first = await reverseTransaction(db, part);
  await reverseTransaction(db, part);
  const tooMuch = { reference: receipt, amount: '100.01', idempotencyKey: newKey() };
  expect(await refusalOf(reverseTransaction(db, tooMuch))).toBe('exceeds_remaining');
  const rest = await reverseTransaction(db, { reference: receipt, idempotencyKey: newKey() });
  const told = { wallet: null, from: wallet, reason: null };
  expect(await toldOf(receipt)).toMatchObject([
    {
      type: 'deposit.reversed',
      data: { ...told, amount: '50.00', remaining: '100.00', reference: first.reference },
    },
    {
      type: 'deposit.reversed',
      data: { ...told, amount: '100.00', remaining: '0.00', reference: rest.reference },
    },
  ]);
});

test('a reversal out of suspense takes from nobody, and the reversal of a transfer is no event', async () => {
  const { db } = database;
  const receipt = await waiting();
  await reverseTransaction(db, { reference: receipt, idempotencyKey: newKey() });
  expect(await toldOf(receipt)).toMatchObject([
    { type: 'deposit.reversed', data: { wallet: null, from: null, amount: '150.00', remaining: '0.00' } },
  ]);
  const [from, to] = [await openCustomer(db), await openCustomer(db)];
  await recordDeposit(db, sampleDeposit({ account: from }));
  const count = 'SELECT count(*)::int AS n FROM services.webhook_events';
  const before = await sql(count);
  const { reference } = await transfer(db, sampleTransfer({ from, to, amount: '10.00' }));
  await reverseTransaction(db, { reference, idempotencyKey: newKey() });
  expect(await sql(count)).toEqual(before);
});

test('the correction of a payment is told once with both wallets, and so is its reversal', async () => {
  const { db } = database;
  const wallet = await openCustomer(db);
  const payment = await askFor(db, { wallet });
  const [other, receipt] = [await openCustomer(db), newReceipt()];
  await confirm(db, payment, { receipt, account: other });
  await follow();
  const { id } = payment;
  expect(await refusalOf(correctPayment(db, { id, receipt, ...decided() }))).toBe('nothing_to_correct');
  await reportPaid(db, payment, { receipt });
  await correctPayment(db, { id, ...decided() });
  await correctPayment(db, { id, ...decided() });
  const { reference } = await reverseTransaction(db, {
    reference: `AS-${receipt}`,
    idempotencyKey: newKey(),
  });
  expect(await toldOf(receipt)).toMatchObject([
    { type: 'payment.paid' },
    {
      type: 'deposit.moved',
      data: { from: other, wallet, amount: '150.00', reference: `AS-${receipt}`, reason: null },
    },
    {
      type: 'deposit.moved',
      data: { from: wallet, wallet: other, amount: '150.00', reference, reason: 'assignment_reversed' },
    },
  ]);
});

test.for([
  ['250.00', { amount: '100.00', remaining: '250.00', from: null }],
  ['40.00', { amount: '110.00', remaining: '40.00', wallet: null }],
] as const)(
  'a deposit of 150.00 that is corrected to %s is told once, with what it is now; a message that is kept is not',
  async ([said, told]) => {
    const { db } = database;
    const account = await openCustomer(db);
    const receipt = newReceipt();
    await recordDeposit(db, sampleDeposit({ receipt, account }));
    for (const amount of [said, '1.00']) await recordDeposit(db, sampleDeposit({ receipt, account, amount }));
    await follow();
    const { items } = await listCallbacks(db, { outcome: 'CONFLICT', receipt });
    const idOf = (amount: string) => items.find((each) => each.amount === amount)?.id ?? '';
    await resolveCallback(db, { id: idOf(said), decision: 'correct', ...decided() });
    await resolveCallback(db, { id: idOf(said), decision: 'correct', ...decided() });
    await resolveCallback(db, { id: idOf('1.00'), decision: 'keep', ...decided() });
    const wallets = { wallet: account, from: account, ...told };
    expect(await toldOf(receipt)).toMatchObject([
      { type: 'deposit.corrected', data: { ...wallets, reference: `CR-${receipt}`, reason: null } },
    ]);
  },
);

test('a refund mark is told when it is set and when it is taken away, and what was so before is not', async () => {
  const { db } = database;
  const receipt = await waiting();
  for (const decision of ['unmark', 'mark', 'mark', 'unmark', 'unmark'] as const) {
    await markRefund(db, { receipt, decision, ...decided() });
  }
  const nothing = { wallet: null, from: null, reference: null, amount: '150.00', remaining: '150.00' };
  expect(await toldOf(receipt)).toMatchObject([
    { type: 'deposit.refund_marked', data: nothing },
    { type: 'deposit.refund_unmarked', data: nothing },
  ]);
  const wallet = await openCustomer(db);
  const credited = sampleDeposit({ account: wallet });
  await recordDeposit(db, credited);
  const mark = { receipt: credited.receipt, decision: 'mark', ...decided() } as const;
  expect(await refusalOf(markRefund(db, mark))).toBe('not_in_suspense');
  expect((await toldOf(credited.receipt)).map(({ type }) => type)).toEqual(['deposit.credited']);
});

test('what M-PESA took back is told as its statement shows it: what was recovered, and what is owed', async () => {
  const { db } = database;
  const wallet = await openCustomer(db);
  const receipt = newReceipt();
  const paidAt = new Date(noonPlus(0));
  await recordDeposit(db, sampleDeposit({ receipt, account: wallet, shortCode: SHORT_CODE, paidAt }));
  await transfer(db, sampleTransfer({ from: wallet, to: await openCustomer(db), amount: '40.00' }));
  await follow();
  const book: BookEntry[] = [
    { receipt, at: noonPlus(0), what: 'payment', cents: 150_00n },
    { receipt: newReceipt(), at: noonPlus(5), what: 'reversal', cents: 150_00n, undoes: receipt },
  ];
  await importBook(db, book, { shortCode: SHORT_CODE });
  await reconcileDay(db, SHORT_CODE, true);
  await reconcileDay(db, SHORT_CODE, true);
  const told = (await toldOf(receipt)).map(({ type, data }) => {
    return [type, data['amount'], data['from'], data['reason'], data['remaining']];
  });
  expect(told).toHaveLength(2);
  expect(told).toEqual(
    expect.arrayContaining([
      ['deposit.reversed', '110.00', wallet, null, '0.00'],
      ['deposit.reversed', '40.00', null, 'owed', '0.00'],
    ]),
  );
});

test('without an endpoint nothing is queued, and what is undone with its transaction is told to nobody', async () => {
  await using own = await openTestDb();
  const { db } = own;
  const wallet = await openCustomer(db);
  const receipts = [newReceipt(), newReceipt()];
  for (const receipt of receipts) await recordDeposit(db, sampleDeposit({ receipt, account: 'NOBODY' }));
  const [first = '', second = ''] = receipts;
  await assignSuspense(db, { receipt: first, wallet });
  const endpoint = { url: 'https://app.example.com/', sealedSecret: Buffer.from('s'), by: 'tests' };
  await registerWebhook(db, { ...endpoint, events: WEBHOOK_EVENTS });
  const undone = transaction(db, async (tx) => {
    await assignSuspense(tx, { receipt: second, wallet });
    await reverseTransaction(tx, { reference: `AS-${second}`, idempotencyKey: newKey() });
    await markRefund(tx, { receipt: second, decision: 'mark', ...decided() });
    throw new RangeError('the caller changed their mind');
  });
  await expect(undone).rejects.toThrow('changed their mind');
  expect(await own.sql('SELECT type FROM services.webhook_events')).toEqual([]);
});
