import type { Handle } from './db.ts';
import { DaftariError } from './errors.ts';
import { readBack, readPosted, referenceOf } from './posted.ts';
import type { Answer, Posted } from './posted.ts';
import { newReference } from './reference.ts';
import { requestDigest, requireAmount, requireText } from './request.ts';
import { query } from './statement.ts';
import type { Statement } from './statement.ts';

export interface Reversal extends Posted {
  /** The reference of the transaction whose money went back. */
  readonly reverses: string;
  /** What is left of it now; `0.00` when all of it went back. */
  readonly remaining: string;
}

/**
 * Sends the money of a transaction back, whole or up to what is left of it, once for its key. It never overdraws a
 * wallet: when the money is spent it is refused, and part of it can be asked for.
 *
 * @throws DaftariError `unknown_transaction`, `not_reversible`, `already_reversed`, `exceeds_remaining`,
 * `funds_spent`, `already_assigned` (a suspense payment whose assignment must be reversed first), `key_reused`,
 * `wallet_frozen`, `wallet_closed`, `invalid_amount`, `invalid_request`
 */
export async function reverseTransaction(
  db: Handle,
  request: {
    readonly reference: string;
    /** All that is left unless said. */
    readonly amount?: string;
    readonly idempotencyKey: string;
    readonly narrative?: string;
  },
): Promise<Reversal> {
  requireText('reference', request.reference, 50);
  requireText('idempotencyKey', request.idempotencyKey, 255);
  if (request.narrative !== undefined) requireText('narrative', request.narrative, 255);
  const amount = request.amount === undefined ? null : requireAmount(request.amount);
  const narrative = request.narrative ?? null;
  const [answer] = await query<Answer>(db, REVERSE, [
    request.idempotencyKey,
    requestDigest('reversal', [request.reference, amount, narrative]),
    request.reference,
    amount,
    newReference(),
    narrative,
  ]);
  if (answer === undefined) throw new DaftariError('database_error');
  if (answer.reason === 'insufficient_funds') throw new DaftariError('funds_spent');
  const posted = await readPosted(db, referenceOf(answer), answer.outcome === 'replayed');
  const [left] = await readBack(() => query<{ remaining: string }>(db, REMAINING, [request.reference]));
  return { ...posted, reverses: request.reference, remaining: left?.remaining ?? '0.00' };
}

const REVERSE: Statement = {
  name: 'transaction_reverse',
  text: `SELECT outcome, reason, reference
  FROM core.reverse_transaction($1::text, $2::text, $3::text, $4::numeric, $5::text, $6::text)`,
};

const REMAINING: Statement = {
  name: 'transaction_remaining',
  text: `SELECT core.remaining_of(id)::text AS remaining FROM core.transactions WHERE reference = $1`,
};
