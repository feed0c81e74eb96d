import type { Handle } from '../connection/handle.ts';
import { operation, postedOf, runOperation } from './operations.ts';
import type { OperationKind } from './operations.ts';
import type { Posted } from './posted.ts';
import { receiptKey } from '../deposits/receipt.ts';
import { requestDigest, requireText } from '../request.ts';

export interface AssignmentRequest {
  readonly receipt: string;
  readonly wallet: string;
  /**
   * With a key a repeat gets the first answer, whatever has happened since. Without a key it would assign the payment
   * again if the assignment has been reversed meanwhile.
   */
  readonly idempotencyKey?: string;
}

/**
 * Moves a payment that waits in suspense to the wallet that it was meant for, once. A repeat with the same wallet gets
 * the same answer.
 *
 * @throws DaftariError `unknown_transaction`, `not_in_suspense`, `already_assigned` (to another wallet),
 * `already_reversed`, `unknown_wallet`, `wallet_frozen`, `wallet_closed`, `currency_mismatch`, `key_reused`,
 * `invalid_request`
 */
export async function assignSuspense(db: Handle, request: AssignmentRequest): Promise<Posted> {
  return runOperation(db, ASSIGNING, request);
}

export const ASSIGNING: OperationKind<AssignmentRequest, Posted> = {
  prepare({ receipt, wallet, idempotencyKey }) {
    requireText('receipt', receipt, 50);
    requireText('wallet', wallet, 20);
    const original = receiptKey(receipt);
    if (idempotencyKey === undefined) return operation('ASSIGN', { original, wallet });
    requireText('idempotencyKey', idempotencyKey, 255);
    const digest = requestDigest('assignment', [original, wallet]);
    return operation('ASSIGN', { original, wallet, key: idempotencyKey, digest });
  },
  read: postedOf,
};
