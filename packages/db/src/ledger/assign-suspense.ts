import type { Handle } from '../connection/handle.ts';
import { DaftariError } from '../errors.ts';
import { operation, postedOf, runOperation, runOperations } from './operations.ts';
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

export interface DecidedAssignment extends AssignmentRequest {
  /** A name or an id of the person who decides, 100 characters at most. */
  readonly decidedBy: string;
  /** 500 characters at most. */
  readonly reason?: string;
}

/**
 * The same by a person: who assigned the payment, and why, stands among the decisions about its receipt.
 *
 * @throws DaftariError as `assignSuspense` does
 */
export async function assignByPerson(db: Handle, request: DecidedAssignment): Promise<Posted> {
  const { decidedBy, reason } = request;
  requireText('decidedBy', decidedBy, 100);
  if (reason !== undefined) requireText('reason', reason, 500);
  const prepared = ASSIGNING.prepare(request);
  const { key, original, wallet } = prepared;
  const digest =
    reason === undefined ? prepared.digest : requestDigest('assignment', [original, wallet, reason]);
  const asked = { ...prepared, digest: key === null ? null : digest };
  const [result] = await runOperations(db, [asked], { decidedBy, reason: reason ?? null });
  if (result === undefined) throw new DaftariError('database_error');
  return ASSIGNING.read(result);
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
