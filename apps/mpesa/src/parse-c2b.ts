import { readAmount } from './message/amount.ts';
import { isObject, keyOf, readJsonBody } from './message/body.ts';
import type { JsonBody } from './message/body.ts';
import { hasConflictingKey } from './message/duplicate-keys.ts';
import { readEatTime } from './message/eat-time.ts';
import { parseKeepingNumbers, scalarText } from './message/json-numbers.ts';
import { readMsisdn } from './message/msisdn.ts';
import type { Msisdn } from './message/msisdn.ts';
import { storablePayload } from './message/payload.ts';
import { readable, unreadable } from './message/reasons.ts';
import type { Read, UnreadableReason } from './message/reasons.ts';
import { findReceipt, readReceipt } from './message/receipt.ts';
import { storableText } from './message/text.ts';

/** A C2B message that was understood. */
export interface C2bMessage {
  readonly receipt: string;
  /** Decimal string of KES with two decimals, more than zero. */
  readonly amount: string;
  readonly shortCode: string;
  /** What the payer typed as the account, exactly as sent up to 1,000 characters; empty for a till. */
  readonly account: string;
  readonly paidAt: Date;
  readonly msisdn: Msisdn;
  /** The names that were sent, joined by one space; null when none was. */
  readonly name: string | null;
  /** JSON text that `jsonb` can hold, or null when the body is such a text itself. */
  readonly payload: string | null;
}

/** A message, or why it could not be understood and the receipt if at least that could be read. */
export type ParsedC2b =
  | { readonly ok: true; readonly message: C2bMessage }
  | { readonly ok: false; readonly reason: UnreadableReason; readonly receipt: string | null };

/** The fields that are read; every other field is kept in the payload and otherwise ignored. */
const FIELDS = [
  'TransID',
  'TransTime',
  'TransAmount',
  'BusinessShortCode',
  'BillRefNumber',
  'MSISDN',
  'FirstName',
  'MiddleName',
  'LastName',
] as const;

type Field = (typeof FIELDS)[number];

/** The longest account and name that a deposit takes; the payload keeps the whole. */
const MAX_TEXT_LENGTH = 1_000;

/**
 * Understands a C2B validation or confirmation. Only TransID, TransTime, TransAmount and BusinessShortCode are
 * required: M-PESA leaves out or empties every other field in one kind of payment or another.
 */
export function parseC2b(body: Buffer): ParsedC2b {
  const json = readJsonBody(body);
  if (!json.ok) return { ...json, receipt: findReceipt(body) };
  const { text } = json.value;
  const field = fieldReader(json.value);
  const receipt = readReceipt(field('TransID') ?? '');
  if (hasConflictingKey(json.value, FIELDS)) {
    const receiptIsCertain = !hasConflictingKey(json.value, ['TransID']);
    return { ...unreadable('duplicate_key'), receipt: receiptIsCertain && receipt.ok ? receipt.value : null };
  }
  if (!receipt.ok)
    return { ...receipt, receipt: receipt.reason === 'receipt_missing' ? findReceipt(body) : null };

  const paidAt = readEatTime(field('TransTime') ?? '');
  const amount = readAmount(field('TransAmount') ?? '');
  const shortCode = readShortCode(field('BusinessShortCode'));
  if (!amount.ok) return { ...amount, receipt: receipt.value };
  if (!paidAt.ok) return { ...paidAt, receipt: receipt.value };
  if (!shortCode.ok) return { ...shortCode, receipt: receipt.value };
  return {
    ok: true,
    message: {
      receipt: receipt.value,
      amount: amount.value,
      shortCode: shortCode.value,
      account: fitting(field('BillRefNumber') ?? ''),
      paidAt: paidAt.value,
      msisdn: readMsisdn(field('MSISDN') ?? ''),
      name: joinNames([field('FirstName'), field('MiddleName'), field('LastName')]),
      payload: storablePayload(text) ?? (json.value.hadByteOrderMark ? text : null),
    },
  };
}

/** Reads fields as text. A number gives its digits as they were sent; null, objects and absent fields give undefined. */
function fieldReader({ object, text }: JsonBody): (name: Field) => string | undefined {
  const keys = new Map(FIELDS.map((name) => [name, keyOf(object, name)]));
  const hasNumber = [...keys.values()].some((key) => key !== undefined && typeof object[key] === 'number');
  const kept = hasNumber ? parseKeepingNumbers(text) : object;
  const source = isObject(kept) ? kept : object;
  return (name) => {
    const key = keys.get(name);
    const value = key === undefined ? undefined : scalarText(source[key]);
    return value === undefined ? undefined : storableText(value);
  };
}

function readShortCode(text: string | undefined): Read<string> {
  const shortCode = text?.trim() ?? '';
  if (shortCode === '') return unreadable('short_code_missing');
  // No look-alikes: two payments are the same only when they were made to the same short code.
  return /^[\x21-\x7e]{1,20}$/.test(shortCode) ? readable(shortCode) : unreadable('short_code_invalid');
}

function joinNames(names: readonly (string | undefined)[]): string | null {
  const present = names.map((name) => name?.trim() ?? '').filter((name) => name !== '');
  return present.length === 0 ? null : fitting(present.join(' '));
}

/** A text too long to be an account or a name is cut and marked, so that the rest cannot pass for the whole. */
function fitting(text: string): string {
  if (text.length <= MAX_TEXT_LENGTH) return text;
  return storableText(`${text.slice(0, MAX_TEXT_LENGTH - 1)}…`);
}
