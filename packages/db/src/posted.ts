import type { Handle } from './db.ts';
import { DaftariError, isDaftariError } from './errors.ts';
import type { ErrorCode } from './errors.ts';
import { query } from './statement.ts';
import type { Statement } from './statement.ts';

export type TransactionType = 'DEPOSIT' | 'TRANSFER' | 'WITHDRAWAL' | 'FEE' | 'REVERSAL' | 'ASSIGNMENT';

/** A transaction that was written. Amounts are decimal strings with two decimals. */
export interface Posted {
  readonly reference: string;
  readonly transactionId: string;
  readonly type: TransactionType;
  readonly from: string;
  readonly to: string;
  readonly amount: string;
  readonly currency: string;
  /** What was left in `from`, its fee paid. */
  readonly balanceAfter: string;
  /** The fee that was posted with it, whoever paid it; `0.00` for none. */
  readonly fee: string;
  readonly createdAt: Date;
  readonly verificationHash: string;
  /** Whether this is the answer to an earlier request with the same key. */
  readonly replayed: boolean;
}

/** What the ledger's single-item functions answer. */
export interface Answer {
  readonly outcome: 'posted' | 'replayed' | 'key_reused' | 'refused' | 'collision';
  readonly reason: string | null;
  readonly reference: string | null;
}

const REFUSALS: ReadonlySet<string> = new Set<ErrorCode>([
  'insufficient_funds',
  'wallet_frozen',
  'wallet_closed',
  'unknown_wallet',
  'same_wallet',
  'currency_mismatch',
  'invalid_amount',
  'unknown_transaction',
  'not_reversible',
  'already_reversed',
  'exceeds_remaining',
  'unknown_hold',
  'hold_closed',
  'exceeds_hold',
  'not_in_suspense',
  'already_assigned',
  'wallet_not_empty',
]);

/** The error for a reason that the database gave. */
export function refusal(reason: string | null): DaftariError {
  return new DaftariError(isRefusal(reason) ? reason : 'database_error');
}

function isRefusal(reason: string | null): reason is ErrorCode {
  return reason !== null && REFUSALS.has(reason);
}

/** Throws what the answer refuses, and returns the reference of what was posted, now or then. */
export function referenceOf({ outcome, reason, reference }: Answer): string {
  if (outcome === 'key_reused') throw new DaftariError('key_reused');
  // A new reference that is taken happens once in 2^60: the caller's retry thinks of another one.
  if (outcome === 'collision') throw new DaftariError('database_busy');
  if (reason !== null || reference === null) throw refusal(reason);
  return reference;
}

/** Errors whose words are that nothing was recorded. */
const NOTHING_RECORDED: ReadonlySet<string> = new Set<ErrorCode>([
  'database_unavailable',
  'pool_exhausted',
  'database_busy',
]);

/**
 * Reads what was just done. When the reading fails the work is done all the same, so the caller must not be told that
 * nothing was recorded: he repeats the request under its key and is answered.
 */
export async function readBack<Result>(read: () => Promise<Result>): Promise<Result> {
  try {
    return await read();
  } catch (error) {
    if (!isDaftariError(error) || !NOTHING_RECORDED.has(error.code)) throw error;
    throw new DaftariError('outcome_unknown', { cause: error.cause });
  }
}

/** Reads a transaction that was posted, with its fee. */
export async function readPosted(db: Handle, reference: string, replayed: boolean): Promise<Posted> {
  const [row] = await readBack(() => query<PostedRow>(db, READ, [reference]));
  if (row === undefined) throw new DaftariError('database_error');
  return {
    reference,
    transactionId: row.id,
    type: row.type,
    from: row.debit_wallet_id,
    to: row.credit_wallet_id,
    amount: row.amount,
    currency: row.currency,
    balanceAfter: row.balance_after,
    fee: row.fee,
    createdAt: new Date(Number(row.created_at_ms)),
    verificationHash: row.verification_hash,
    replayed,
  };
}

interface PostedRow {
  readonly id: string;
  readonly type: TransactionType;
  readonly debit_wallet_id: string;
  readonly credit_wallet_id: string;
  readonly amount: string;
  readonly currency: string;
  readonly balance_after: string;
  readonly fee: string;
  readonly created_at_ms: string;
  readonly verification_hash: string;
}

const READ: Statement = {
  name: 'posted_read',
  text: `
SELECT t.id::text AS id, t.type, t.debit_wallet_id, t.credit_wallet_id, t.amount::text AS amount,
       t.currency::text AS currency, coalesce(f.amount, 0)::numeric(19,2)::text AS fee,
       CASE WHEN f.debit_wallet_id = t.debit_wallet_id THEN f.debit_balance_after
            ELSE t.debit_balance_after END::text AS balance_after,
       (extract(epoch FROM t.created_at) * 1000)::bigint::text AS created_at_ms,
       coalesce(t.verification_hash, '') AS verification_hash
  FROM core.transactions t
  LEFT JOIN core.transactions f ON f.reference = t.reference || '-F' AND f.type = 'FEE'
 WHERE t.reference = $1`,
};
