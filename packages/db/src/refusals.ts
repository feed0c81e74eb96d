import { AmountError, DaftariError, isDaftariError } from './errors.ts';
import type { ErrorCode } from './errors.ts';

const REFUSALS: ReadonlySet<string> = new Set<ErrorCode>([
  'insufficient_funds',
  'wallet_frozen',
  'wallet_closed',
  'unknown_wallet',
  'same_wallet',
  'currency_mismatch',
  'unknown_transaction',
  'not_reversible',
  'already_reversed',
  'exceeds_remaining',
  'not_divisible',
  'unknown_hold',
  'hold_closed',
  'expiry_passed',
  'exceeds_hold',
  'unknown_fee_rule',
  'time_passed',
  'fee_rule_planned',
  'fee_rule_ended',
  'not_in_suspense',
  'already_assigned',
  'already_posted',
  'unknown_callback',
  'nothing_to_resolve',
  'already_resolved',
  'not_correctable',
  'wallet_not_empty',
  'floor_too_high',
]);

/** The error for a reason that the database gave. */
export function refusal(reason: string | null): DaftariError {
  // Every amount was read before it was sent, so what the door refuses is a sum that no column holds.
  if (reason === 'invalid_amount') return new AmountError('too_large');
  return new DaftariError(isRefusal(reason) ? reason : 'database_error');
}

function isRefusal(reason: string | null): reason is ErrorCode {
  return reason !== null && REFUSALS.has(reason);
}

/** Errors whose words are that nothing was recorded. */
const NOTHING_RECORDED: ReadonlySet<string> = new Set<ErrorCode>([
  'database_unavailable',
  'pool_exhausted',
  'database_busy',
]);

/**
 * Reads what was just done. When the reading fails the work is done all the same, so the caller must not be told that
 * nothing was recorded: they repeat the request and get the answer.
 */
export async function readBack<Result>(read: () => Promise<Result>): Promise<Result> {
  try {
    return await read();
  } catch (error) {
    if (!isDaftariError(error) || !NOTHING_RECORDED.has(error.code)) throw error;
    throw new DaftariError('outcome_unknown', { cause: error.cause });
  }
}
