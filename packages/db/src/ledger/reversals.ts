import type { Handle } from '../connection/handle.ts';
import { DaftariError } from '../errors.ts';
import { operation, postedOf, runOperation } from './operations.ts';
import type { OperationKind } from './operations.ts';
import type { Posted } from './posted.ts';
import { newReference } from './reference.ts';
import { requestDigest, requireAmount, requireText } from '../request.ts';

export interface ReversalRequest {
  readonly reference: string;
  /** Default: all that is left. */
  readonly amount?: string;
  readonly idempotencyKey: string;
  readonly narrative?: string;
}

export interface Reversal extends Posted {
  /** The reference of the transaction whose money went back. */
  readonly reverses: string;
  /** What was left of it then; `0.00` when all of it went back. */
  readonly remaining: string;
}

/**
 * Sends the money of a transaction back, whole or up to what is left of it, once for its key. It never overdraws a
 * wallet: when the money is spent it is refused, and part of it can be asked for. The assignment of a suspense payment
 * goes back whole or not at all.
 *
 * @throws DaftariError `unknown_transaction`, `not_reversible`, `already_reversed`, `exceeds_remaining`,
 * `not_divisible` (a part of an assignment), `funds_spent`, `already_assigned` (a suspense payment whose assignment
 * must be reversed first), `key_reused`, `wallet_frozen`, `wallet_closed`, `invalid_amount`, `invalid_request`
 */
export async function reverseTransaction(db: Handle, request: ReversalRequest): Promise<Reversal> {
  return runOperation(db, REVERSING, request);
}

export const REVERSING: OperationKind<ReversalRequest, Reversal> = {
  prepare(request) {
    requireText('reference', request.reference, 50);
    requireText('idempotencyKey', request.idempotencyKey, 255);
    if (request.narrative !== undefined) requireText('narrative', request.narrative, 255);
    const { reference: original, idempotencyKey: key, narrative = null } = request;
    const amount = request.amount === undefined ? null : requireAmount(request.amount);
    const digest = requestDigest('reversal', [original, amount, narrative]);
    return operation('REVERSE', { key, digest, original, amount, reference: newReference(), narrative });
  },
  read(result) {
    const { operation: asked, row } = result;
    if (row.reason === 'insufficient_funds') throw new DaftariError('funds_spent');
    return { ...postedOf(result), reverses: asked.original ?? '', remaining: row.remaining ?? '0.00' };
  },
};
