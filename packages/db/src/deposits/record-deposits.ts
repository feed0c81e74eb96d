import { RECORD_DEPOSITS, batchValues, requireValid } from './deposit-batch.ts';
import type { Deposit, DepositOptions, DepositResult, SuspenseReason } from './deposit.ts';
import { DaftariError } from '../errors.ts';
import type { Handle } from '../connection/handle.ts';
import { query } from '../connection/handle.ts';

/**
 * Records one payment that M-PESA reported: credited exactly once, however often and by however many it is reported.
 *
 * The inbox row, the log row, the transaction, both balances and the SMS to the customer are one database
 * transaction and one round trip. Given a transaction's handle it becomes part of that transaction.
 *
 * @throws DaftariError `invalid_deposit`, `invalid_amount`, `database_busy`, `database_unavailable`,
 * `pool_exhausted`, `outcome_unknown` (repeat it: it is done once)
 */
export async function recordDeposit(
  db: Handle,
  deposit: Deposit,
  options: DepositOptions = {},
): Promise<DepositResult> {
  const [result] = await recordDeposits(db, [deposit], options);
  if (result === undefined) throw new DaftariError('database_error');
  return result;
}

/**
 * Records several payments as if one after the other, in one database transaction: all of them or none. The results
 * are in the order of the deposits. Many callers with one payment each want `createDepositIntake` instead.
 *
 * @throws DaftariError as `recordDeposit` does
 */
export async function recordDeposits(
  db: Handle,
  deposits: readonly Deposit[],
  options: DepositOptions = {},
): Promise<DepositResult[]> {
  deposits.forEach(requireValid);
  if (deposits.length === 0) return [];
  return depositResults(
    await query<DepositRow>(db, RECORD_DEPOSITS, batchValues(deposits, options)),
    deposits,
  );
}

/** What the database answered about a batch, in the order of the deposits. */
export function depositResults(rows: readonly DepositRow[], deposits: readonly Deposit[]): DepositResult[] {
  const results: DepositResult[] = [];
  for (const row of rows) {
    const deposit = deposits[row.ord - 1];
    if (deposit !== undefined) results[row.ord - 1] = resultOf(row, deposit.receipt);
  }
  if (rows.length !== deposits.length) throw new DaftariError('database_error');
  return results;
}

export interface DepositRow {
  readonly ord: number;
  readonly outcome: 'credited' | 'suspense' | 'held' | 'duplicate' | 'conflict' | 'refused';
  readonly original: 'credited' | 'suspense' | 'held' | null;
  readonly reason: string | null;
  readonly suggestions: string | null;
  readonly wallet: string;
  readonly transaction_id: string;
  readonly amount: string;
  readonly balance_after: string;
  readonly created_at_ms: string;
  /** Null on a transaction that is older than the column. */
  readonly verification_hash: string | null;
  readonly recorded_short_code: string | null;
}

function resultOf(row: DepositRow, receipt: string): DepositResult {
  if (row.outcome === 'refused') return { outcome: 'refused', receipt, reason: row.reason ?? '' };
  if (row.outcome === 'conflict') {
    const recorded = { amount: row.amount, shortCode: row.recorded_short_code ?? '' };
    return { outcome: 'conflict', receipt, recorded };
  }
  const { amount } = row;
  if (row.outcome === 'held') return { outcome: 'held', receipt, amount };
  if (row.original === 'held') return { outcome: 'duplicate', original: 'held', receipt, amount };
  const deposit = recordedOf(row, receipt);
  if (row.outcome === 'credited') return { outcome: 'credited', ...deposit };
  if (row.outcome === 'duplicate') {
    return { outcome: 'duplicate', original: row.original ?? 'credited', ...deposit };
  }
  const suggestions = row.suggestions ? row.suggestions.split(',') : [];
  return { outcome: 'suspense', reason: row.reason as SuspenseReason, suggestions, ...deposit };
}

function recordedOf(row: DepositRow, receipt: string) {
  return {
    receipt,
    reference: receipt,
    transactionId: row.transaction_id,
    wallet: row.wallet,
    amount: row.amount,
    balanceAfter: row.balance_after,
    createdAt: new Date(Number(row.created_at_ms)),
    verificationHash: row.verification_hash ?? '',
  };
}
