import { httpProblem } from '../problems/problem.ts';
import type { HttpProblem } from '../problems/problem.ts';
import type { RawBody } from './raw-body.ts';

/** The answer when a callback could not be stored: a 5xx, so that the sender does not count it as delivered. */
export function notStored(cause: unknown): HttpProblem {
  return httpProblem('unavailable', {
    detail: 'The request could not be served or stored. Send it again.',
    headers: { 'retry-after': '5' },
    cause,
  });
}

/** Why a callback did not come whole. */
interface Damage {
  readonly reason: 'body_too_large' | 'body_incomplete';
  /** How much of it there is to keep. */
  readonly note: string;
  /** The answer, once that is kept. */
  readonly refusal: HttpProblem;
}

/** Says why a callback did not come whole; null when it did. */
export function findDamage({ bytes, isCut, isIncomplete, size }: RawBody): Damage | null {
  if (!isCut && !isIncomplete) return null;
  const note = `${String(bytes.length)} of ${String(size)} bytes kept`;
  if (isCut) return { reason: 'body_too_large', note, refusal: tooLarge() };
  return { reason: 'body_incomplete', note, refusal: brokenOff() };
}

function tooLarge(): HttpProblem {
  return httpProblem('body_too_large', {
    detail: 'A callback has at most 64 KiB. The beginning was kept.',
    headers: { connection: 'close' },
  });
}

function brokenOff(): HttpProblem {
  return httpProblem('malformed_request', { detail: 'The body broke off. What came was kept.' });
}
