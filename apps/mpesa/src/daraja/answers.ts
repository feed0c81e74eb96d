import type { PaymentAnswer, PaymentVerdict } from '@repo/db';
import type { HttpAnswer } from '@repo/http';
import { isObject } from '../message/body.ts';
import { PAID_CODE, PENDING_CODE, readResultCode, reasonOfResult } from './result-codes.ts';
import type { FetchedToken } from './tokens.ts';

/** What became of a request to a phone, before it is decided when to try again or to ask. */
export type PushAnswer =
  | {
      readonly kind: 'ACCEPTED';
      readonly merchantRequestId: string | null;
      readonly checkoutRequestId: string;
    }
  | Exclude<PaymentAnswer, { kind: 'ACCEPTED' | 'RETRY' }>
  | { readonly kind: 'RETRY'; readonly reason: string; readonly resultCode: string | null }
  /** The token is not valid (any more). The request was not looked at. */
  | { readonly kind: 'TOKEN' };

/** What an answer says, whatever it is. */
export interface Fields {
  readonly [name: string]: unknown;
}

/** Reads the answer to a request to a phone. Whatever is not surely refused may be on its way. */
export function readPushAnswer({ status, body }: HttpAnswer): PushAnswer {
  const fields = fieldsOf(body);
  if (status >= 200 && status < 300) return readAccepted(fields);
  const refusal = refusalOf(status, fields);
  if (refusal === 'token') return { kind: 'TOKEN' };
  const resultCode = readResultCode(textOf(fields['errorCode']));
  if (refusal === 'busy') return { kind: 'RETRY', reason: 'provider_busy', resultCode };
  if (refusal === 'subscriber_busy') return { kind: 'RETRY', reason: refusal, resultCode };
  if (FINAL_REFUSALS.has(refusal)) return { kind: 'REFUSED', reason: refusal, resultCode };
  return { kind: 'LOST', reason: 'answer_unclear' };
}

function readAccepted(fields: Fields): PushAnswer {
  const checkoutRequestId = readId(fields['CheckoutRequestID']);
  const code = readResultCode(textOf(fields['ResponseCode']));
  if (code === PAID_CODE && checkoutRequestId !== null) {
    return { kind: 'ACCEPTED', merchantRequestId: readId(fields['MerchantRequestID']), checkoutRequestId };
  }
  if (code === null || code === PAID_CODE) return { kind: 'LOST', reason: 'answer_unclear' };
  return { kind: 'REFUSED', reason: 'not_accepted', resultCode: code };
}

/** Reads the answer to the question what became of a request; null when the token was not valid. */
export function readQueryAnswer({ status, body }: HttpAnswer): PaymentVerdict | null {
  const fields = fieldsOf(body);
  if (status < 200 || status >= 300) {
    const refusal = refusalOf(status, fields);
    if (refusal === 'token') return null;
    // "The transaction is being processed" is one of them: a question that was not answered decides nothing.
    return open(refusal, readResultCode(textOf(fields['errorCode'])));
  }
  const code = readResultCode(textOf(fields['ResultCode']));
  if (code === null) return open('answer_unclear', null);
  if (code === PAID_CODE) return { kind: 'CONFIRMED', reason: null, resultCode: code };
  if (code === PENDING_CODE) return open('being_processed', code);
  const reason = reasonOfResult(code);
  // A code that nobody knows is no reason to tell a customer that they did not pay.
  return reason === null ? open('code_unknown', code) : { kind: 'FAILED', reason, resultCode: code };
}

function open(reason: string, resultCode: string | null): PaymentVerdict {
  return { kind: 'OPEN', reason, resultCode };
}

/** Reads a token; null when there is none in the answer. */
export function readTokenAnswer({ status, body }: HttpAnswer): FetchedToken | null {
  if (status !== 200) return null;
  const fields = fieldsOf(body);
  const token = fields['access_token'];
  // "3599", a text.
  const seconds = Number(textOf(fields['expires_in']));
  if (typeof token !== 'string' || token === '' || !Number.isFinite(seconds) || seconds <= 0) return null;
  return { token, validMs: Math.min(seconds, MOST_SECONDS) * 1_000 };
}

const MOST_SECONDS = 86_400;

/** Whether the question about a receipt was taken; null when the token was not valid. */
export function readStatusAnswer({ status, body }: HttpAnswer): boolean | null {
  const fields = fieldsOf(body);
  if (status >= 200 && status < 300) return readResultCode(textOf(fields['ResponseCode'])) === PAID_CODE;
  return refusalOf(status, fields) === 'token' ? null : false;
}

type RefusalKind =
  | 'token'
  | 'busy'
  | 'subscriber_busy'
  | 'wrong_credentials'
  | 'no_such_merchant'
  | 'being_processed'
  | 'no_such_transaction'
  | 'bad_request'
  | 'unclear';

/** The request was refused for what it is: another attempt would end in the same way. */
const FINAL_REFUSALS: ReadonlySet<RefusalKind> = new Set<RefusalKind>([
  'wrong_credentials',
  'no_such_merchant',
  'bad_request',
]);

/** `500.001.1001` has at least five meanings, and only its text tells which. */
const TEXTS_OF_1001: readonly (readonly [pattern: RegExp, meaning: RefusalKind])[] = [
  [/being processed/i, 'being_processed'],
  [/wrong credentials/i, 'wrong_credentials'],
  [/merchant does not exist/i, 'no_such_merchant'],
  [/lock subscriber/i, 'subscriber_busy'],
  [/transaction does not exist/i, 'no_such_transaction'],
];

/** Whether the token is not valid (any more): the request was not looked at. */
export function isTokenRefused(status: number, fields: Fields): boolean {
  return refusalOf(status, fields) === 'token';
}

function refusalOf(status: number, fields: Fields): RefusalKind {
  const code = textOf(fields['errorCode']) ?? '';
  const text = textOf(fields['errorMessage']) ?? '';
  if (status === 401 || code === '404.001.03' || code === '404.001.04') return 'token';
  if (status === 429 || code === '500.003.02') return 'busy';
  if (code === '500.001.1001') {
    return TEXTS_OF_1001.find(([pattern]) => pattern.test(text))?.[1] ?? 'unclear';
  }
  return status >= 400 && status < 500 ? 'bad_request' : 'unclear';
}

/** The fields of an answer; none where it is no JSON object. */
export function fieldsOf(body: string): Fields {
  try {
    const value: unknown = JSON.parse(body);
    return isObject(value) ? value : {};
  } catch {
    // A page of a proxy, or half an answer.
    return {};
  }
}

/** A text or a number as text. */
export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
}

/** What M-PESA calls a request; null for what cannot be such a name. */
export function readId(value: unknown): string | null {
  const text = textOf(value)?.trim() ?? '';
  return /^[\x21-\x7e]{1,100}$/.test(text) && !/[<>"'\\]/.test(text) ? text : null;
}
