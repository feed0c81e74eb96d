import { query } from '../connection/handle.ts';
import type { Handle, Statement } from '../connection/handle.ts';
import { receiptKey } from '../deposits/receipt.ts';
import { DaftariError } from '../errors.ts';
import { refusal } from '../refusals.ts';
import { isUuid, requestDigest, requireText } from '../request.ts';

export interface PaymentCorrection {
  /** The id of the payment. */
  readonly id: string;
  /** The receipt whose money is moved. Default: the one that settled the payment. */
  readonly receipt?: string;
  /** A name or an id of the person who decides, 100 characters at most. */
  readonly decidedBy: string;
  /** 500 characters at most. */
  readonly reason: string;
  readonly idempotencyKey: string;
}

/** Money that was moved to the other one of two wallets, now or before. */
export interface CorrectedPayment {
  readonly receipt: string;
  /** The transaction that moved it, to be reversed if that was wrong. */
  readonly reference: string;
  /** The wallet that had it. */
  readonly from: string;
  /** The wallet that has it. */
  readonly to: string;
  /** Decimal string of KES with two decimals. */
  readonly amount: string;
  readonly replayed: boolean;
}

/**
 * Moves the money of a payment whose messages name two wallets to the other one of them, once, however many ask and however
 * often: to the wallet that the payment was asked for where a confirmation came first, and to the wallet that the confirmation
 * names where it came later.
 *
 * @throws DaftariError `unknown_payment`, `nothing_to_correct`, `already_assigned`, `already_reversed`, `not_correctable`,
 * `insufficient_funds` (a correction never overdraws), `wallet_frozen`, `wallet_closed`, `key_reused`, `invalid_request`
 */
export async function correctPayment(db: Handle, correction: PaymentCorrection): Promise<CorrectedPayment> {
  const { id, reason, decidedBy, idempotencyKey } = correction;
  if (!isUuid(id)) throw new DaftariError('unknown_payment');
  requireText('decidedBy', decidedBy, 100);
  requireText('reason', reason, 500);
  requireText('idempotencyKey', idempotencyKey, 255);
  if (correction.receipt !== undefined) requireText('receipt', correction.receipt, 50);
  const receipt = correction.receipt === undefined ? null : receiptKey(correction.receipt);
  const digest = requestDigest('payment_correction', [id.toLowerCase(), receipt ?? '', reason]);
  const values = [id, receipt, decidedBy, reason, idempotencyKey, digest];
  const [row] = await query<CorrectedRow>(db, CORRECT, values);
  if (row === undefined) throw new DaftariError('database_error');
  if (row.outcome === 'key_reused') throw new DaftariError('key_reused');
  if (row.reason !== null) throw refusal(row.reason);
  return {
    receipt: row.receipt ?? '',
    reference: row.reference ?? '',
    from: row.source ?? '',
    to: row.target ?? '',
    amount: row.amount ?? '',
    replayed: row.outcome === 'replayed',
  };
}

interface CorrectedRow {
  readonly outcome: 'posted' | 'replayed' | 'key_reused' | 'refused';
  readonly reason: string | null;
  readonly receipt: string | null;
  readonly reference: string | null;
  readonly source: string | null;
  readonly target: string | null;
  readonly amount: string | null;
}

const CORRECT: Statement = {
  name: 'payment_correct',
  text: `
SELECT outcome, reason, receipt, reference, source, target, amount::text AS amount
  FROM services.correct_payment(
    p_id => $1::uuid, p_receipt => $2::text, p_by => $3::text, p_reason => $4::text, p_key => $5::text,
    p_digest => $6::text
  )`,
};
