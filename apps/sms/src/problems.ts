import { DaftariError, isDaftariError } from '@repo/db';
import type { ErrorCode } from '@repo/db';
import { HttpProblem, httpProblem } from '@repo/http';
import type { ProblemKind } from '@repo/http';

interface Refusal {
  readonly status: 404 | 409 | 422;
  readonly title: string;
}

/** What callers can be told of errors of the domain. */
const refusals: Partial<Record<ErrorCode, Refusal>> = {
  invalid_request: { status: 422, title: 'The request does not have the required form.' },
  unknown_sms: { status: 404, title: 'There is no such message.' },
  nothing_to_decide: { status: 409, title: 'There is nothing to decide.' },
  unknown_template: { status: 404, title: 'There is no such text.' },
  invalid_template: { status: 422, title: 'The text cannot be used for this message.' },
  key_reused: { status: 409, title: 'The idempotency key was used for another request.' },
};

/** Failures that are the service's and not the request's. They pass, and nothing was done. */
const passing: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'queue_full',
  'intake_closed',
  'database_unavailable',
  'pool_exhausted',
  'database_busy',
  'schema_outdated',
]);

/** Whether nothing can be stored at this moment, whatever it is. */
export function isWithoutStorage(error: unknown): boolean {
  return isDaftariError(error) && (passing.has(error.code) || error.code === 'outcome_unknown');
}

/** The answer when nothing could be stored: a 5xx, so that the sender does not count it as delivered. */
export function unavailable(cause: unknown): HttpProblem {
  return httpProblem('unavailable', {
    detail: 'The request could not be served or stored. Send it again.',
    headers: { 'retry-after': '5' },
    cause,
  });
}

/** The message in the path does not exist. */
export function unknownMessage(): HttpProblem {
  const detail = 'No message has this id.';
  return new HttpProblem({ code: 'unknown_sms', status: 404, title: 'There is no such message.', detail });
}

/** The kinds of refusals of this service, as their pages explain them. */
export function smsProblems(): Record<string, ProblemKind> {
  return Object.fromEntries(
    Object.entries(refusals).map(([code, refusal]) => {
      return [code, { ...refusal, advice: new DaftariError(code as ErrorCode).message }];
    }),
  );
}

/** Translates errors of the domain into answers. */
export function mapError(error: unknown): HttpProblem | null {
  return isDaftariError(error) ? problemOf(error) : null;
}

function problemOf(error: DaftariError): HttpProblem | null {
  if (error.code === 'outcome_unknown') {
    const detail =
      'It is not known whether this was done. With an `Idempotency-Key` it can be sent again and is done once.';
    return httpProblem('unavailable', { detail, headers: { 'retry-after': '1' }, cause: error });
  }
  if (passing.has(error.code)) return unavailable(error);
  const refusal = refusals[error.code];
  if (refusal === undefined) return null;
  const facts = { code: error.code, ...refusal, cause: error };
  if (error.field === undefined) return new HttpProblem({ ...facts, detail: error.message });
  const findings = [{ where: error.field, what: 'is not as it must be' }];
  return new HttpProblem({ ...facts, detail: 'Correct what `findings` names.', findings });
}
