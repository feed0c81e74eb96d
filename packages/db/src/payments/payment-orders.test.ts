import fc from 'fast-check';
import { expect, test } from 'vitest';
import { balanceOf, openCustomer } from '../testing/database/wallet-fixtures.ts';
import { useTestDb, valueOf } from '../testing/database/test-db.ts';
import { newReceipt } from '../testing/deposits/sample-deposit.ts';
import { accept, askFor, confirm, reportFailed, reportPaid } from '../testing/payments.ts';
import { findPayment } from './find-payment.ts';
import { notePaymentVerdict } from './payment-answers.ts';
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
  hasReference: fc.boolean(),
});

async function happen(payment: Payment, receipt: string, happening: Happening): Promise<void> {
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
      return void (await confirm(db, payment, { receipt }));
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

test('whatever tells of one payment, in any order, repeated and at once, it is credited once and told once', async () => {
  await fc.assert(
    fc.asyncProperty(stories, async ({ told, isAtOnce, hasReference }) => {
      const { db, sql } = database;
      const wallet = await openCustomer(database.db);
      const receipt = newReceipt();
      const reference = hasReference ? { reference: `R-${receipt.slice(-9)}` } : {};
      const payment = await askFor(db, { wallet, ...reference });
      if (isAtOnce) await Promise.all(told.map((each) => happen(payment, receipt, each)));
      else for (const each of told) await happen(payment, receipt, each);

      const isCredited = told.includes('callback') || told.includes('confirmation');
      expect(await balanceOf(sql, wallet)).toBe(isCredited ? '150.00' : '0.00');
      const messages = await valueOf(
        sql,
        `SELECT count(*)::int FROM services.sms_logs WHERE transaction_reference IN ($1::text, 'AS-' || $1::text)`,
        [receipt],
      );
      expect(messages).toBe(isCredited ? 1 : 0);

      const settled = (await findPayment(db, payment.id)) ?? expect.fail('it is gone');
      expect(settled.isFlagged).toBe(false);
      // The receipt decides, whatever else was said; a confirmation alone settles it where M-PESA said that it was paid.
      if (told.includes('callback')) expect(settled).toMatchObject({ status: 'PAID', receipt });
      else if (settled.status === 'PAID') {
        expect(told).toEqual(expect.arrayContaining(['confirmation', 'query-paid']));
        expect(settled.receipt).toBe(receipt);
      } else if (told.includes('failure')) expect(settled.status).toBe('FAILED');
      else if (!told.includes('accepted')) expect(['REQUESTED', 'FAILED']).toContain(settled.status);
    }),
    { numRuns: 40 },
  );
});
