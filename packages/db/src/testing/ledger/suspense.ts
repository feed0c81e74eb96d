import { recordDeposit } from '../../deposits/record-deposits.ts';
import type { Handle } from '../../connection/handle.ts';
import { laneOf, stripeOf } from '../../lanes.ts';
import { newReceipt, sampleDeposit } from '../deposits/sample-deposit.ts';

/** The wallet in which the payments of `payIntoSuspense` wait. */
export const WAITING_WALLET = stripeOf('SUSPENSE', laneOf(''));

/** A payment that names nobody's wallet; answers its receipt. */
export async function payIntoSuspense(
  db: Handle,
  { amount = '150.00', receipt = newReceipt() }: { amount?: string; receipt?: string } = {},
): Promise<string> {
  const recorded = await recordDeposit(db, sampleDeposit({ receipt, amount, account: '' }));
  if (recorded.outcome !== 'suspense')
    throw new Error(`The payment was to wait in suspense: ${recorded.outcome}`);
  return receipt;
}
