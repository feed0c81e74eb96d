import fc from 'fast-check';
import { expect, test } from 'vitest';
import { transaction } from '../connection/transaction.ts';
import { releaseDeposit } from '../deposits/deposit-decisions.ts';
import { findDeposit } from '../deposits/find-deposit.ts';
import { recordDeposit, recordDeposits } from '../deposits/record-deposits.ts';
import { untilWaiting } from '../testing/database/lock-waiters.ts';
import { useTestDb } from '../testing/database/test-db.ts';
import { balanceOf, openCustomer } from '../testing/database/wallet-fixtures.ts';
import { newReceipt, sampleDeposit } from '../testing/deposits/sample-deposit.ts';
import type { DepositFacts } from '../testing/deposits/sample-deposit.ts';
import { newKey } from '../testing/ledger/requests.ts';
import { accept, askFor, confirm, PAYER, reportPaid } from '../testing/payments.ts';
import { correctPayment } from './correct-payment.ts';
import { findPayment, paymentEvents } from './find-payment.ts';
import { claimPayments, notePaymentVerdict } from './payment-answers.ts';
import { recordPayments } from './payment-intake.ts';
import type { Payment } from './payment.ts';

const database = useTestDb();
const { sql } = database;

interface Contradicted {
  readonly payment: Payment;
  /** The wallet that a confirmation names. */
  readonly other: string;
  /** The receipt of which it names it. */
  readonly receipt: string;
}

async function newPayment(reference?: string): Promise<Contradicted> {
  const { db } = database;
  const wallet = await openCustomer(db);
  const payment = await askFor(db, { wallet, ...(reference === undefined ? {} : { reference }) });
  await accept(db, payment);
  return { payment, other: await openCustomer(db), receipt: newReceipt() };
}

const now = async ({ id }: Payment) => (await findPayment(database.db, id)) ?? expect.fail('it is gone');

/** A row that names no payment, as M-PESA's list of payments has it. */
function pulled({ payment, receipt }: Contradicted, facts: DepositFacts = {}) {
  const { wallet: account, amount, shortCode } = payment;
  const ordinary = { account, amount, shortCode, phone: PAYER, name: null, paidAt: new Date() };
  return sampleDeposit({ ...ordinary, receipt, kind: 'PULL', ...facts });
}

/** How often the payment is flagged for each contradiction. */
async function flagsOf({ id }: Payment, receipt: string): Promise<string[]> {
  const events = await paymentEvents(database.db, id);
  const isFlag = (kind: string) => kind !== 'PAID' && kind !== 'REQUESTED' && kind !== 'ACCEPTED';
  return events.filter((each) => isFlag(each.kind) && each.receipt === receipt).map(({ kind }) => kind);
}

/** Moves the money of the receipt to the other one of the two wallets. */
function correct({ payment, receipt }: Contradicted) {
  const decided = { decidedBy: 'ann', reason: 'the payer says so', idempotencyKey: newKey() };
  return correctPayment(database.db, { id: payment.id, receipt, ...decided });
}

async function expectCorrected(contradicted: Contradicted, from: string): Promise<void> {
  const { payment, other } = contradicted;
  const to = from === other ? payment.wallet : other;
  expect(await correct(contradicted)).toMatchObject({ from, to, amount: '150.00' });
}

const stories = fc.record({
  // Messages of the second receipt, and the callback of the first one among them.
  told: fc.shuffledSubarray(['first', 'callback', 'confirmation', 'pulled', 'status'] as const, {
    minLength: 3,
  }),
  // Every one of them comes again.
  isRepeated: fc.boolean(),
  isAtOnce: fc.boolean(),
});

test('a second receipt whose confirmation names another wallet flags its payment once, in every order and at once', async () => {
  await fc.assert(
    fc.asyncProperty(stories, async ({ told, isRepeated, isAtOnce }) => {
      const { db } = database;
      const contradicted = await newPayment();
      const { payment, other, receipt } = contradicted;
      const first = newReceipt();
      const happen = {
        first: () => reportPaid(db, payment, { receipt: first }),
        callback: () => reportPaid(db, payment, { receipt }),
        confirmation: () => confirm(db, payment, { receipt, account: other }),
        pulled: () => recordDeposit(db, pulled(contradicted)),
        status: () => reportPaid(db, payment, { receipt, kind: 'STATUS_RESULT' }),
      };
      const all = isRepeated ? [...told, ...told] : told;
      if (isAtOnce) await Promise.all(all.map((each) => happen[each]()));
      else for (const each of all) await happen[each]();

      const isNamed = told.includes('confirmation');
      // A row that names no payment can be the payment's money as long as it has no other.
      const isOfPayment =
        told.includes('callback') || told.includes('status') || (await now(payment)).receipt === receipt;
      const flags = await flagsOf(payment, receipt);
      expect(flags.filter((kind) => kind === 'OTHER_WALLET')).toHaveLength(isNamed && isOfPayment ? 1 : 0);
      expect(flags.filter((kind) => kind === 'SECOND_RECEIPT').length).toBeLessThanOrEqual(1);
      if (!isNamed || !isOfPayment) return;
      expect(await now(payment)).toMatchObject({ status: 'PAID', isFlagged: true });
      // The money of the receipt is in one of the two, and a person can move it to the other one.
      const at = (await balanceOf(sql, other)) === '150.00' ? other : payment.wallet;
      await expectCorrected(contradicted, at);
      const earlier = told.includes('first') ? 1 : 0;
      const [own, others] = at === other ? [earlier + 1, 0] : [earlier, 1];
      const ofPayments = (count: number) => ['0.00', '150.00', '300.00'][count];
      expect([await balanceOf(sql, payment.wallet), await balanceOf(sql, other)]).toEqual(
        [own, others].map(ofPayments),
      );
    }),
    { numRuns: 40 },
  );
});

test('a confirmation and a callback that are recorded at the same moment see each other, whichever is first', async () => {
  const { db } = database;
  for (const [isSecond, isCallbackFirst] of [
    [true, true],
    [true, false],
    [false, true],
    [false, false],
  ]) {
    // Its own reference, so that the row settles nothing.
    const contradicted = await newPayment('ORDER 17');
    const { payment, other, receipt } = contradicted;
    if (isSecond) await reportPaid(db, payment, { receipt: newReceipt() });
    await recordDeposit(db, pulled(contradicted));
    const messages = [
      (handle: typeof db) => reportPaid(handle, payment, { receipt }),
      (handle: typeof db) => confirm(handle, payment, { receipt, account: other }),
    ];
    const [early, late] = isCallbackFirst ? messages : messages.toReversed();
    const waited = await transaction(db, async (tx) => {
      await early?.(tx as typeof db);
      const meanwhile = late?.(db);
      await Promise.race([meanwhile, untilWaiting(database.url, 1)]);
      return { meanwhile };
    });
    await waited.meanwhile;
    expect(await flagsOf(payment, receipt)).toContain('OTHER_WALLET');
    await expectCorrected(contradicted, payment.wallet);
  }
});

test('messages of one receipt that are recorded together contradict each other, too', async () => {
  const { db } = database;
  const contradicted = await newPayment();
  const { payment, other, receipt } = contradicted;
  const named = { account: other, kind: 'C2B_CONFIRMATION', phone: '2547 ***** 126' } as const;
  await recordDeposits(db, [pulled(contradicted), pulled(contradicted, named)]);
  expect(await now(payment)).toMatchObject({ status: 'PAID', receipt, isFlagged: true });
  expect(await flagsOf(payment, receipt)).toEqual(['OTHER_WALLET']);
  await expectCorrected(contradicted, payment.wallet);
});

test('a deposit that M-PESA confirms without its receipt is flagged for what a message said before', async () => {
  const { db } = database;
  const contradicted = await newPayment('ORDER 18');
  const { payment, other, receipt } = contradicted;
  await recordDeposit(db, pulled(contradicted));
  await confirm(db, payment, { receipt, account: other });
  expect(await now(payment)).toMatchObject({ status: 'PENDING', isFlagged: false });
  const verdict = { kind: 'CONFIRMED', reason: null, resultCode: '0' } as const;
  await notePaymentVerdict(db, { id: payment.id, verdict, dueMs: 1_000 });
  expect(await now(payment)).toMatchObject({ status: 'PAID', receipt, isFlagged: true });
  expect(await flagsOf(payment, receipt)).toEqual(['OTHER_WALLET']);
  await expectCorrected(contradicted, payment.wallet);
});

test('what was held is flagged when it is released to the wallet that another message names', async () => {
  const { db } = database;
  const contradicted = await newPayment();
  const { payment, other, receipt } = contradicted;
  const limit = { maxAmount: '100.00' };
  await recordDeposit(db, pulled(contradicted, { account: other, kind: 'C2B_CONFIRMATION' }), limit);
  const names = { merchantRequestId: null, checkoutRequestId: null };
  const deposit = pulled(contradicted, { kind: 'STK_CALLBACK' });
  await recordPayments(db, [{ deposit, payment: payment.id, ...names }], limit);
  expect(await now(payment)).toMatchObject({ status: 'PAID', reason: 'held', receipt, isFlagged: false });
  const decided = { decidedBy: 'ann', reason: 'a real payment', idempotencyKey: newKey() };
  await releaseDeposit(db, { receipt, decision: 'release', ...decided });
  expect(await flagsOf(payment, receipt)).toEqual(['OTHER_WALLET']);
  await expectCorrected(contradicted, other);
  expect(await balanceOf(sql, payment.wallet)).toBe('150.00');
});

test('what was held for a payment and is released to suspense is assigned to its wallet', async () => {
  const { db } = database;
  const contradicted = await newPayment();
  const { payment, receipt } = contradicted;
  const limit = { maxAmount: '100.00' };
  await recordDeposit(db, pulled(contradicted, { account: 'NOBODY', kind: 'C2B_CONFIRMATION' }), limit);
  const names = { merchantRequestId: null, checkoutRequestId: null };
  const deposit = pulled(contradicted, { kind: 'STK_CALLBACK' });
  await recordPayments(db, [{ deposit, payment: payment.id, ...names }], limit);
  const decided = { decidedBy: 'ann', reason: 'a real payment', idempotencyKey: newKey() };
  await releaseDeposit(db, { receipt, decision: 'release', ...decided });
  const tasks = await claimPayments(db, { limit: 50, leaseMs: 60_000 });
  expect(tasks).toContainEqual({ id: payment.id, task: 'ASSIGN' });
  expect(await now(payment)).toMatchObject({ isFlagged: false });
});

test('a message that names the wallet of the payment flags nothing, whatever else is said of the receipt', async () => {
  const { db } = database;
  const contradicted = await newPayment();
  const { payment, receipt } = contradicted;
  await reportPaid(db, payment, { receipt: newReceipt() });
  await reportPaid(db, payment, { receipt });
  await confirm(db, payment, { receipt });
  await confirm(db, payment, { receipt: newReceipt(), account: contradicted.other });
  expect(await flagsOf(payment, receipt)).toEqual(['SECOND_RECEIPT']);
});

test('a confirmation that comes again for another account is a witness against the first, and flags the payment', async () => {
  const { db } = database;
  const contradicted = await newPayment();
  const { payment, other, receipt } = contradicted;
  await confirm(db, payment, { receipt });
  await confirm(db, payment, { receipt });
  await reportPaid(db, payment, { receipt });
  expect((await findDeposit(db, receipt))?.witnesses.map(({ kind }) => kind)).toEqual(['STK_CALLBACK']);
  expect(await now(payment)).toMatchObject({ isFlagged: false });
  await confirm(db, payment, { receipt, account: other });
  expect((await findDeposit(db, receipt))?.witnesses).toMatchObject([
    { kind: 'STK_CALLBACK', otherWallet: null },
    { kind: 'C2B_CONFIRMATION', account: other, otherWallet: other },
  ]);
  expect(await flagsOf(payment, receipt)).toEqual(['OTHER_WALLET']);
  await expectCorrected(contradicted, payment.wallet);
});
