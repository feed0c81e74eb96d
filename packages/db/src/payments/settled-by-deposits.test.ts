import { expect, test } from 'vitest';
import { recordDeposit, recordDeposits } from '../deposits/record-deposits.ts';
import { newReceipt, sampleDeposit } from '../testing/deposits/sample-deposit.ts';
import type { DepositFacts } from '../testing/deposits/sample-deposit.ts';
import { useTestDb } from '../testing/database/test-db.ts';
import { balanceOf, openCustomer } from '../testing/database/wallet-fixtures.ts';
import { accept, askFor, PAYER, reportFailed, reportPaid } from '../testing/payments.ts';
import { findPayment, paymentEvents } from './find-payment.ts';
import type { Payment } from './payment.ts';

const database = useTestDb();
const { sql } = database;

async function newPayment(): Promise<Payment> {
  const payment = await askFor(database.db, { wallet: await openCustomer(database.db) });
  await accept(database.db, payment);
  return payment;
}

const now = async ({ id }: Payment) => (await findPayment(database.db, id)) ?? expect.fail('it is gone');

/** A deposit into the wallet of a payment that names no payment, as a pulled row reports it. */
function pull(payment: Payment, facts: DepositFacts = {}) {
  const { wallet: account, amount, shortCode } = payment;
  const ordinary = { account, amount, shortCode, phone: PAYER, name: null, paidAt: new Date() };
  return recordDeposit(database.db, sampleDeposit({ ...ordinary, kind: 'PULL', ...facts }));
}

test.for(['PULL', 'C2B_CONFIRMATION', 'STATEMENT'] as const)(
  'a deposit that a %s reports settles the payment whose money it is, also one that was called failed',
  async (kind) => {
    for (const wasCalled of ['PENDING', 'FAILED']) {
      const payment = await newPayment();
      if (wasCalled === 'FAILED') await reportFailed(database.db, payment);
      const receipt = newReceipt();
      await pull(payment, { receipt, kind });
      expect(await now(payment)).toMatchObject({ status: 'PAID', receipt, isFlagged: false });
      expect((await paymentEvents(database.db, payment.id)).at(-1)).toMatchObject({
        reason: 'matched',
        receipt,
      });
      // The callback that comes after all changes nothing.
      await reportPaid(database.db, payment, { receipt });
      expect((await paymentEvents(database.db, payment.id)).at(-1)).toMatchObject({
        kind: 'PAID',
        status: 'PAID',
      });
      expect(await now(payment)).toMatchObject({ isFlagged: false });
      expect(await balanceOf(sql, payment.wallet)).toBe('150.00');
    }
  },
);

test.for([
  ['of another amount', { amount: '149.00' }],
  ['to another short code', { shortCode: '600999' }],
  ['from another number', { phone: '254700000127' }],
  ['from a mask of another number', { phone: '2547 ***** 127' }],
  ['from nobody', { phone: null }],
  ['that was paid long before', { paidAt: new Date(Date.now() - 180_000) }],
  ['that was paid long after', { paidAt: new Date(Date.now() + 3_660_000) }],
] as const)('a deposit %s settles no payment', async ([, facts]) => {
  const payment = await newPayment();
  await pull(payment, facts);
  expect(await now(payment)).toMatchObject({ status: 'PENDING', receipt: null });
});

test('money that was not paid for what was asked settles nothing, however well the rest fits', async () => {
  const payment = await askFor(database.db, {
    wallet: await openCustomer(database.db),
    reference: 'ORDER 17',
  });
  await pull(payment);
  expect(await now(payment)).toMatchObject({ status: 'REQUESTED', receipt: null });
  expect(await balanceOf(sql, payment.wallet)).toBe('150.00');
});

test('a deposit settles one payment at most, and none where two can be meant', async () => {
  const { db } = database;
  const first = await newPayment();
  const second = await askFor(db, { wallet: first.wallet });
  await pull(first);
  expect([(await now(first)).status, (await now(second)).status]).toEqual(['PENDING', 'REQUESTED']);
  // The first is told by its callback; the next deposit can be the second's alone. Of two in one batch one is taken.
  await reportPaid(db, first, { receipt: newReceipt() });
  const { wallet: account, shortCode } = second;
  const facts = { account, shortCode, phone: PAYER, paidAt: new Date() };
  const both = [sampleDeposit(facts), sampleDeposit(facts)];
  await recordDeposits(db, both);
  expect(await now(second)).toMatchObject({ status: 'PAID', receipt: both[0]?.receipt, isFlagged: false });
});
