import { isDaftariError } from '@repo/db';
import type { ErrorCode } from '@repo/db';
import { httpProblem } from '@repo/http';
import type { HttpProblem } from '@repo/http';

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

/** Translates errors of the domain into answers. */
export function mapError(error: unknown): HttpProblem | null {
  const isOfService = isDaftariError(error) && ofTheService.has(error.code);
  return isOfService || isWithoutStorage(error) ? unavailable(error) : null;
}
