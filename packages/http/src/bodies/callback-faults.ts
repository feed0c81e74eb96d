import { httpProblem } from '../problems/problem.ts';
import type { HttpProblem } from '../problems/problem.ts';

/** The answer when a callback could not be stored: a 5xx, so that the sender does not count it as delivered. */
export function notStored(cause: unknown): HttpProblem {
  return httpProblem('unavailable', {
    detail: 'The request could not be served or stored. Send it again.',
    headers: { 'retry-after': '5' },
    cause,
  });
}
