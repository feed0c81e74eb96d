import { DaftariError, isDaftariError } from '@repo/db';
import type { ErrorCode } from '@repo/db';
import { HttpProblem, httpProblem } from '@repo/http';
import type { ProblemKind } from '@repo/http';

/** Failures after which storing the callback by itself would fail as well, or which say that it may be stored already. */
const withoutStorage: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'queue_full',
  'intake_closed',
  'database_unavailable',
  'pool_exhausted',
  'outcome_unknown',
]);

/** Further failures that are the service's and not the request's. */
const ofTheService: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['database_busy', 'schema_outdated']);

/** What the ledger refuses people who decide about payments. The request is understood, and its error says what to do. */
const refusals: Readonly<Partial<Record<ErrorCode, { readonly status: number; readonly title: string }>>> = {
  invalid_request: { status: 422, title: 'The request does not have the required form.' },
  invalid_amount: { status: 422, title: 'The amount is too large to be ever posted.' },
  already_posted: { status: 409, title: 'This payment has been posted.' },
  unknown_callback: { status: 404, title: 'There is no such callback.' },
  already_resolved: { status: 409, title: 'This callback has been resolved in another way.' },
  nothing_to_resolve: { status: 422, title: 'This callback waits for no decision.' },
  not_correctable: { status: 422, title: 'This deposit cannot be corrected by its difference.' },
  insufficient_funds: { status: 422, title: 'There is not enough in the wallet.' },
  unknown_transaction: { status: 404, title: 'There is no such payment.' },
  already_assigned: { status: 409, title: 'This payment has been assigned to a wallet.' },
  already_reversed: { status: 409, title: 'This payment has been sent back.' },
  key_reused: { status: 409, title: 'The idempotency key was used for another request.' },
  not_in_suspense: { status: 422, title: 'This payment is not in suspense.' },
  unknown_wallet: { status: 422, title: 'There is no such wallet.' },
  wallet_frozen: { status: 422, title: 'The wallet is frozen.' },
  wallet_closed: { status: 422, title: 'The wallet is closed.' },
  currency_mismatch: { status: 422, title: 'The currencies differ.' },
};

/** Whether a callback cannot be stored at this moment, whatever is in it. */
export function isWithoutStorage(error: unknown): boolean {
  return isDaftariError(error) && withoutStorage.has(error.code);
}

/** The answer when nothing could be stored: a 5xx, so that the sender does not count the message as delivered. */
export function unavailable(cause: unknown): HttpProblem {
  return httpProblem('unavailable', {
    detail: 'The request could not be served or stored. Send it again.',
    headers: { 'retry-after': '5' },
    cause,
  });
}

/** The kinds of refusals of this service, as their pages explain them. */
export function mpesaProblems(): Record<string, ProblemKind> {
  return Object.fromEntries(
    Object.entries(refusals).map(([code, refusal]) => {
      return [code, { ...refusal, advice: new DaftariError(code as ErrorCode).message }];
    }),
  );
}

/** Translates errors of the domain into answers. */
export function mapError(error: unknown): HttpProblem | null {
  if (!isDaftariError(error)) return null;
  if (ofTheService.has(error.code) || isWithoutStorage(error)) return unavailable(error);
  const refusal = refusals[error.code];
  if (refusal === undefined) return null;
  return new HttpProblem({ code: error.code, ...refusal, detail: error.message, cause: error });
}
