import { AmountError, DaftariError, isDaftariError } from './errors.ts';
import { ERROR_CATALOGUE } from './error-codes/catalogue.ts';
import type { ErrorCode } from './error-codes/catalogue.ts';

/** The error for a reason that a function of the database gave: the code of a refusal. */
export function refusal(reason: string | null): DaftariError {
  // Every amount was read before it was sent, so what the door refuses is a sum that no column holds.
  if (reason === 'invalid_amount') return new AmountError('too_large');
  return new DaftariError(isRefusal(reason) ? reason : 'database_error');
}

function isRefusal(reason: string | null): reason is ErrorCode {
  if (reason === null || !Object.hasOwn(ERROR_CATALOGUE, reason)) return false;
  return ERROR_CATALOGUE[reason as ErrorCode].kind === 'refused';
}

/**
 * Reads what was just done. When the reading fails the work is done all the same, so the caller must not be told that
 * nothing was recorded: they repeat the request and get the answer.
 */
export async function readBack<Result>(read: () => Promise<Result>): Promise<Result> {
  try {
    return await read();
  } catch (error) {
    if (!isDaftariError(error) || error.kind !== 'busy') throw error;
    throw new DaftariError('outcome_unknown', { cause: error.cause });
  }
}
