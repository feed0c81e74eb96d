import { verdictOf, wholeRequestVerdict } from './codes.ts';
import type { Verdict } from './codes.ts';
import { readCost } from './cost.ts';
import type { Balance, ProviderFacts, SendAnswer } from '../provider.ts';
import { harmless, reasonOf } from '../send-codes.ts';
import type { SendCode } from '../send-codes.ts';
import type { HttpAnswer } from '@repo/http';

/** What was sent, to find its entry in the answer and to keep it out of the reasons. */
export interface Sent {
  /** Digits; null when the recipient was a hash. */
  readonly number: string | null;
  readonly text: string;
}

type Fields = Readonly<Record<string, unknown>>;

/**
 * Reads what became of the one message of a request. Nothing that the provider sends makes it throw: what cannot be
 * read is `unknown`, for a request that reached the provider may have sent the message.
 */
export function readSendAnswer(answer: HttpAnswer, sent: Sent): SendAnswer {
  if (answer.status < 200 || answer.status > 299) return readFailure(answer, sent);
  const data = fieldsOf(fieldsOf(parse(answer.body))?.['SMSMessageData']);
  const recipients = data?.['Recipients'];
  if (data === null || data === undefined || !Array.isArray(recipients)) {
    return { kind: 'unknown', ...refusal('answer_unreadable', `HTTP ${String(answer.status)}`) };
  }
  const message = textOf(data['Message']);
  if (recipients.length === 0) {
    return withVerdict(wholeRequestVerdict(message), withoutSent(message, sent), null);
  }
  const recipient = findRecipient(recipients, sent.number);
  if (recipient === null) return { kind: 'unknown', ...refusal('answer_unreadable', 'other recipients') };
  return readRecipient(recipient, recipients.length === 1 ? message : '');
}

/** Reads the account's balance, `{"UserData":{"balance":"KES 1785.50"}}`; null for anything else. */
export function readBalance(answer: HttpAnswer): Balance | null {
  if (answer.status !== 200) return null;
  const text = textOf(fieldsOf(fieldsOf(parse(answer.body))?.['UserData'])?.['balance']);
  const [, currency, amount] = /^([A-Z]{3})\s*(-?\d[\d,]{0,20}(?:\.\d{1,10})?)$/.exec(text.trim()) ?? [];
  if (currency === undefined || amount === undefined) return null;
  return { currency, amount: amount.replaceAll(',', '') };
}

function readRecipient(recipient: Fields, message: string): SendAnswer {
  const status = textOf(recipient['status']);
  const codeText = textOf(recipient['statusCode']).trim();
  const code = /^\d{1,9}$/.test(codeText) ? Number(codeText) : null;
  const facts: ProviderFacts = {
    providerMessageId: readMessageId(recipient['messageId']),
    ...readCost(recipient['cost']),
    parts: readParts(recipient['messageParts'], message),
    // Apart, because a code and a number beside it would look like somebody's phone.
    providerStatus: `${harmless(codeText)} ${harmless(status)}`.trim(),
  };
  // A code that is there but is no number is as unknown as one that is not in the list.
  const verdict = verdictOf(codeText === '' ? null : (code ?? -1), status);
  return withVerdict(verdict, facts.providerStatus, facts);
}

function withVerdict(verdict: Verdict, words: string, facts: ProviderFacts | null): SendAnswer {
  if (verdict.kind === 'accepted') {
    // Without facts there is no recipient, and then nothing is accepted.
    return facts === null
      ? { kind: 'unknown', ...refusal('unknown_status', words) }
      : { kind: 'accepted', ...facts };
  }
  return { ...verdict, reason: reasonOf(verdict.code, words), facts };
}

const PAUSE = { kind: 'retry', scope: 'provider' } as const;

/** The answers other than 2xx, which speak of the request and not of the recipient. */
function readFailure({ status, body, retryAfter }: HttpAnswer, sent: Sent): SendAnswer {
  const words = `HTTP ${String(status)}`;
  const paused = (code: SendCode) => ({ ...PAUSE, ...refusal(code, words) });
  if (status === 429) {
    const retryAfterMs = readRetryAfter(retryAfter);
    return { ...paused('throttled'), ...(retryAfterMs === null ? {} : { retryAfterMs }) };
  }
  if (status === 401 || status === 403) return paused('authentication');
  // A redirect is not followed: it would send the message to somebody else.
  if (status === 404 || status === 405 || (status >= 300 && status < 400)) return paused('wrong_endpoint');
  if (status >= 400 && status < 500 && status !== 408) {
    return {
      kind: 'retry',
      scope: 'message',
      ...refusal('request_rejected', `${words} ${withoutSent(body, sent)}`),
    };
  }
  return { kind: 'unknown', ...refusal('server_error', words) };
}

function refusal(code: SendCode, words: string) {
  return { code, reason: reasonOf(code, words), facts: null };
}

/** Who complains about a message may quote it, and it has a name and sums in it. */
function withoutSent(words: string, { text }: Sent): string {
  return words
    .slice(0, 1_000)
    .split(/\s+/)
    .map((word) => (word.length > 2 && text.includes(word) ? '#' : word))
    .join(' ');
}

/** The entry of our recipient. One alone is ours however its number is written. */
function findRecipient(recipients: readonly unknown[], number: string | null): Fields | null {
  if (recipients.length === 1) return fieldsOf(recipients[0]);
  const ours = recipients.filter((each) => textOf(fieldsOf(each)?.['number']).replace(/\D/g, '') === number);
  return ours.length === 1 ? fieldsOf(ours[0]) : null;
}

/** Refused recipients all have the id `None`, which is nobody's. Ids too long for their column are not cut. */
function readMessageId(value: unknown): string | null {
  const id = textOf(value).trim();
  if (id === '' || id.length > 255 || /^(?:none|null)$/i.test(id)) return null;
  return id.includes('\0') || !id.isWellFormed() ? null : id;
}

/** Some answers have the number of parts only at the end of `Message`. */
function readParts(value: unknown, message: string): number | null {
  const text = value === undefined ? (/Message parts: (\d+)/.exec(message)?.[1] ?? '') : textOf(value);
  if (!/^\d{1,4}$/.test(text)) return null;
  const parts = Number(text);
  return parts > 0 ? parts : null;
}

const LONGEST_PAUSE_MS = 3_600_000;

/** Milliseconds of a `Retry-After`, which is seconds or a date; at most an hour. */
function readRetryAfter(text: string | null): number | null {
  if (text === null || text.trim() === '') return null;
  const wait = /^\d+$/.test(text.trim()) ? Number(text) * 1_000 : Date.parse(text) - Date.now();
  return Number.isNaN(wait) ? null : Math.min(Math.max(wait, 0), LONGEST_PAUSE_MS);
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch (error) {
    // Text, XML, a page of a proxy: read as no object. Any other failure is ours.
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

function fieldsOf(value: unknown): Fields | null {
  return typeof value === 'object' && value !== null ? (value as Fields) : null;
}

/** Strings and numbers are used the same way by those who relay answers; anything else says nothing. */
function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  return typeof value === 'number' ? String(value) : '';
}
