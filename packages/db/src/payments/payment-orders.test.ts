import fc from 'fast-check';
import { expect, test } from 'vitest';
import { assignSuspense } from '../ledger/assign-suspense.ts';
import { balanceOf, openCustomer } from '../testing/database/wallet-fixtures.ts';
import { useTestDb } from '../testing/database/test-db.ts';
import { newReceipt } from '../testing/deposits/sample-deposit.ts';
import { accept, askFor, confirm, reportFailed, reportPaid } from '../testing/payments.ts';
import { findPayment } from './find-payment.ts';
import { finishAssignment, notePaymentVerdict } from './payment-answers.ts';
import type { Payment } from './payment.ts';

const database = useTestDb();

const happenings = fc.constantFrom(
  'accepted',
  'callback',
  'confirmation',
  'failure',
  'query-paid',
  'query-failed',
  'query-open',
);
type Happening = typeof happenings extends fc.Arbitrary<infer One> ? One : never;

const stories = fc.record({
  told: fc.array(happenings, { minLength: 1, maxLength: 8 }),
  isAtOnce: fc.boolean(),
  // What the confirmation has as its account: the wallet, a reference of ours, or nothing, as a till's has.
  account: fc.constantFrom('wallet', 'reference', 'none'),
});

async function happen(
  payment: Payment,
  happening: Happening,
  facts: { readonly receipt: string; readonly account: string },
): Promise<void> {
  const { receipt, account } = facts;
  const { db } = database;
  const { id } = payment;
  const tell = (kind: 'CONFIRMED' | 'FAILED' | 'OPEN', resultCode: string) =>
    notePaymentVerdict(db, { id, verdict: { kind, reason: 'expired', resultCode }, dueMs: 3_600_000 });
  switch (happening) {
    case 'accepted':
      return accept(db, payment);
    case 'callback':
      return void (await reportPaid(db, payment, { receipt }));
    case 'confirmation':
      return void (await confirm(db, payment, { receipt, account }));
    case 'failure':
      return reportFailed(db, payment);
    case 'query-paid':
      return tell('CONFIRMED', '0');
    case 'query-failed':
      return tell('FAILED', '1019');
    case 'query-open':
      return tell('OPEN', '4999');
  }
}

/** What a service does when it learns that the money of a payment waits in suspense. */
async function assignDue({ id, wallet }: Payment, receipt: string): Promise<void> {
  const { db } = database;
  const [due] = await database.sql('SELECT FROM services.mpesa_payments WHERE id = $1 AND due_at < now()', [
    id,
  ]);
  if ((await findPayment(db, id))?.status !== 'PAID' || due === undefined) return;
  await assignSuspense(db, { receipt, wallet });
  await finishAssignment(db, id, null);
}

test('whatever tells of one payment, in any order, repeated and at once, it is credited once and told once', async () => {
  await fc.assert(
    fc.asyncProperty(stories, async ({ told, isAtOnce, account: kind }) => {
      const { db, sql } = database;
      const wallet = await openCustomer(database.db);
      const receipt = newReceipt();
      const reference = kind === 'reference' ? { reference: `R-${receipt.slice(-9)}` } : {};
      const payment = await askFor(db, { wallet, ...reference });
      const facts = { receipt, account: kind === 'none' ? '' : payment.reference };
      if (isAtOnce) await Promise.all(told.map((each) => happen(payment, each, facts)));
      else for (const each of told) await happen(payment, each, facts);
      await assignDue(payment, receipt);

      const isPaid = told.includes('callback') || told.includes('confirmation');
      const isCredited = told.includes('callback') || (kind !== 'none' && isPaid);
      expect(await balanceOf(sql, wallet)).toBe(isCredited ? '150.00' : '0.00');
      // A masked payer of what waits cannot be told, and a row says so.
      const messages = await sql(
        `SELECT status FROM services.sms_logs WHERE transaction_reference IN ($1::text, 'AS-' || $1::text)`,
        [receipt],
      );
      expect(messages).toEqual(isPaid ? [{ status: isCredited ? 'PENDING' : 'FAILED' }] : []);

      const settled = (await findPayment(db, payment.id)) ?? expect.fail('it is gone');
      expect(settled.isFlagged).toBe(false);
      // The receipt decides, whatever else was said.
      if (isCredited) expect(settled).toMatchObject({ status: 'PAID', receipt });
      else if (told.includes('failure')) expect(settled.status).toBe('FAILED');
      else if (!told.includes('accepted')) expect(['REQUESTED', 'FAILED']).toContain(settled.status);
    }),
    { numRuns: 40 },
  );
});
