import { createRandom } from '@repo/simulator';
import type { Deposit } from '@repo/db';
import { createPayments } from './payments.ts';
import type { Customer, Supply } from './payments.ts';

/** Payments of which the bodies differ; the rest of what is sent is theirs with new receipts. */
const PATTERNS = 20_000;

/** Characters of a receipt behind its date. */
const SERIAL = 7;

/** As many payments as anybody wants, without keeping them: each has a receipt of its own. */
export function createEndlessPayments(customers: readonly Customer[]): Supply<Deposit> {
  const patterns = createPayments(customers, PATTERNS);
  // So that receipts come in no order, as M-PESA's: a walk through all numbers in steps that share no factor with them.
  const numbers = 36n ** 6n;
  const step = 1_000_000_007n + BigInt(createRandom('receipts').integer(1_000)) * 36n;
  return {
    at(place) {
      const pattern = patterns.at(place % PATTERNS);
      const serial = ((BigInt(place) * step) % numbers).toString(36).toUpperCase().padStart(SERIAL, '0');
      const receipt = pattern.receipt.slice(0, 3) + serial;
      const body = Buffer.from(
        Buffer.from(pattern.callback.body).toString('utf8').replace(pattern.receipt, receipt),
      );
      return { ...pattern, receipt, callback: { ...pattern.callback, body } };
    },
  };
}
