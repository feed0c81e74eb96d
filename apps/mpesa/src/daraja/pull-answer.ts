import type { HttpAnswer } from '@repo/http';
import { readAmount } from '../message/amount.ts';
import { isObject } from '../message/body.ts';
import { parseKeepingNumbers, scalarText } from '../message/json-numbers.ts';
import { readMsisdn } from '../message/msisdn.ts';
import type { Msisdn } from '../message/msisdn.ts';
import { readReceipt } from '../message/receipt.ts';
import { storableText } from '../message/text.ts';
import { fieldsOf, isTokenRefused, textOf } from './answers.ts';

/** Which payments are pulled: those of at most 48 hours, from a row on. */
export interface PullRequest {
  readonly shortCode: string;
  readonly from: Date;
  readonly to: Date;
  /** How many rows are passed over. */
  readonly offset: number;
}

/** A row of the Pull API. */
export interface PulledRow {
  readonly receipt: string;
  /** Decimal string of KES with two decimals. */
  readonly amount: string;
  /** What the payer typed; empty for a till. */
  readonly account: string;
  /** As it is written, a `Z` behind it: whether that is meant nobody has said. Milliseconds. */
  readonly writtenMs: number;
  readonly msisdn: Msisdn;
  /** The row as it came, as JSON text. */
  readonly source: string;
}

export type PullAnswer =
  /** `size` counts the rows, those that cannot be read included. */
  | { readonly kind: 'page'; readonly rows: readonly PulledRow[]; readonly size: number }
  | { readonly kind: 'refused'; readonly code: string; readonly text: string };

/** Reads a page of pulled payments; null when the token was not valid. */
export function readPullAnswer({ status, body }: HttpAnswer): PullAnswer | null {
  const fields = fieldsOf(body);
  if (isTokenRefused(status, fields)) return null;
  const code = textOf(fields['ResponseCode']) ?? textOf(fields['errorCode']) ?? `HTTP ${String(status)}`;
  const text = textOf(fields['ResponseMessage']) ?? textOf(fields['errorMessage']) ?? '';
  // None is a page without rows, said in one way or another.
  if (code === '1001' || /not have any available transactions/i.test(text)) {
    return { kind: 'page', rows: [], size: 0 };
  }
  if (status !== 200 || code !== '1000') return { kind: 'refused', code, text };
  const kept = parseKeepingNumbers(body);
  const entries = isObject(kept) ? [kept['Response']].flat(2).filter(isObject) : [];
  return { kind: 'page', rows: entries.flatMap((each) => readRow(each) ?? []), size: entries.length };
}

/** Null for a row without a receipt, an amount or a time that can be read. */
function readRow(entry: Readonly<Record<string, unknown>>): PulledRow | null {
  // The keys are lower case, but for one.
  const byName = new Map(Object.entries(entry).map(([key, value]) => [key.toLowerCase(), value]));
  const field = (name: string): string => storableText(scalarText(byName.get(name)) ?? '');
  const receipt = readReceipt(field('transactionid'));
  const amount = readAmount(field('amount'));
  const writtenMs = readWritten(field('trxdate'));
  if (!receipt.ok || !amount.ok || writtenMs === null) return null;
  return {
    receipt: receipt.value,
    amount: amount.value,
    account: field('billreference').slice(0, 1_000),
    writtenMs,
    msisdn: readMsisdn(field('msisdn')),
    source: JSON.stringify(entry),
  };
}

function readWritten(text: string): number | null {
  if (!/^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?Z?$/.test(text)) return null;
  const written = Date.parse(`${text.replace(' ', 'T').replace(/Z$/, '')}Z`);
  return Number.isNaN(written) ? null : written;
}
