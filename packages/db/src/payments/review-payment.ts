import { query } from '../connection/handle.ts';
import type { Handle, Statement } from '../connection/handle.ts';
import { DaftariError } from '../errors.ts';
import { refusal } from '../refusals.ts';
import { isUuid, requestDigest, requireText } from '../request.ts';

export interface PaymentReview {
  /** The id of the payment. */
  readonly id: string;
  /** A name or an id of the person who decides, 100 characters at most. */
  readonly decidedBy: string;
  /** What was found and done, 500 characters at most. */
  readonly reason: string;
  readonly idempotencyKey: string;
}

export interface ReviewedPayment {
  readonly replayed: boolean;
}

/**
 * Ends the flags of a payment about which nothing is left to do, once for its idempotency key: `SECOND_RECEIPT`,
 * `OTHER_PAYMENT`, `OTHER_WALLET` and `NOT_ASSIGNED`. No money moves, and the events stay. The decision stands with each
 * receipt that was flagged. `CONFLICT` and `UNPROVEN` end with the decision about their message (`resolveCallback`).
 *
 * @throws DaftariError `unknown_payment`, `nothing_to_review`, `key_reused`, `invalid_request`
 */
export async function reviewPayment(db: Handle, review: PaymentReview): Promise<ReviewedPayment> {
  const { id, reason, decidedBy, idempotencyKey } = review;
  if (!isUuid(id)) throw new DaftariError('unknown_payment');
  requireText('decidedBy', decidedBy, 100);
  requireText('reason', reason, 500);
  requireText('idempotencyKey', idempotencyKey, 255);
  const digest = requestDigest('payment_review', [id.toLowerCase(), reason]);
  const [row] = await query<ReviewedRow>(db, REVIEW, [id, decidedBy, reason, idempotencyKey, digest]);
  if (row === undefined) throw new DaftariError('database_error');
  if (row.outcome === 'key_reused') throw new DaftariError('key_reused');
  if (row.reason !== null) throw refusal(row.reason);
  return { replayed: row.outcome === 'replayed' };
}

interface ReviewedRow {
  readonly outcome: 'reviewed' | 'replayed' | 'key_reused' | 'refused';
  readonly reason: string | null;
}

const REVIEW: Statement = {
  name: 'payment_review',
  text: `
SELECT outcome, reason
  FROM services.review_payment(
    p_id => $1::uuid, p_by => $2::text, p_reason => $3::text, p_key => $4::text, p_digest => $5::text
  )`,
};
