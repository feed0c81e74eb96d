import type { HttpAnswer } from '@repo/http';
import { fieldsOf, isTokenRefused, readId, textOf } from './answers.ts';

/** Where M-PESA shall report the payments to a short code. */
export interface UrlRegistration {
  readonly shortCode: string;
  /** What M-PESA does with a payment whose validation is not answered in time: exactly so is it spelt. */
  readonly responseType: 'Completed' | 'Cancelled';
  readonly confirmationUrl: string;
  readonly validationUrl: string;
}

/** The short code whose payments shall be pulled. */
export interface PullRegistration {
  readonly shortCode: string;
  /** The mobile number that stands for the organisation: `07...` or `2547...`. */
  readonly nominatedNumber: string;
  readonly callbackUrl: string;
}

/** What M-PESA says of a registration. */
export type Registered =
  /** It is done; M-PESA's name for the request, if it gave one. */
  | { readonly kind: 'registered'; readonly id: string | null }
  /** The short code has URLs, and keeps them. */
  | { readonly kind: 'already' }
  /** Another organisation, an aggregator, gets the reports of this short code. */
  | { readonly kind: 'taken' }
  /** M-PESA's own code and text: they may repeat what was sent. */
  | { readonly kind: 'refused'; readonly code: string; readonly text: string }
  /** Nobody answered; `mayBeDone` when the request may have arrived. */
  | { readonly kind: 'unanswered'; readonly mayBeDone: boolean; readonly reason: string };

/** Reads the answer to a registration of URLs; null when the token was not valid. */
export function readRegistered(answer: HttpAnswer): Registered | null {
  const fields = fieldsOf(answer.body);
  if (isTokenRefused(answer.status, fields)) return null;
  const code =
    textOf(fields['ResponseCode']) ?? textOf(fields['errorCode']) ?? `HTTP ${String(answer.status)}`;
  const text = textOf(fields['ResponseDescription']) ?? textOf(fields['errorMessage']) ?? '';
  if (answer.status === 200 && /^0+$/.test(code)) {
    // The first key is misspelt where it comes from.
    const id = fields['OriginatorCoversationID'] ?? fields['OriginatorConversationID'];
    return { kind: 'registered', id: readId(id) };
  }
  if (/already registered/i.test(text)) return { kind: 'already' };
  if (/duplicate notification info/i.test(text)) return { kind: 'taken' };
  return { kind: 'refused', code, text };
}

/** Reads the answer to a registration for the Pull API, whose codes are its own; null when the token was not valid. */
export function readPullRegistered(answer: HttpAnswer): Registered | null {
  const fields = fieldsOf(answer.body);
  if (isTokenRefused(answer.status, fields)) return null;
  const code =
    textOf(fields['ResponseStatus']) ?? textOf(fields['errorCode']) ?? `HTTP ${String(answer.status)}`;
  const text = textOf(fields['ResponseDescription']) ?? textOf(fields['errorMessage']) ?? '';
  if (code === '1000') return { kind: 'registered', id: readId(fields['ResponseRefID']) };
  return code === '1001' ? { kind: 'already' } : { kind: 'refused', code, text };
}
