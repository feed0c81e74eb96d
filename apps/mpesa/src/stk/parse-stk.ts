import { jsonMembers } from '@repo/http';
import { readId } from '../daraja/answers.ts';
import { PAID_CODE, readResultCode } from '../daraja/result-codes.ts';
import { readAmount } from '../message/amount.ts';
import { isObject, memberOf, readJsonBody } from '../message/body.ts';
import { readEatTime } from '../message/eat-time.ts';
import { parseKeepingNumbers, scalarText } from '../message/json-numbers.ts';
import { readMsisdn } from '../message/msisdn.ts';
import { storablePayload } from '../message/payload.ts';
import { unreadable } from '../message/reasons.ts';
import type { UnreadableReason } from '../message/reasons.ts';
import { findReceipt, readReceipt } from '../message/receipt.ts';

/** What M-PESA calls the request that a callback is about; null where it cannot be read. */
export interface StkNames {
  readonly merchantRequestId: string | null;
  /** Personal data, and no key for money. */
  readonly checkoutRequestId: string | null;
}

/** A callback that says that money moved. */
export interface StkPaid extends StkNames {
  readonly kind: 'paid';
  readonly receipt: string;
  /** Decimal string of KES with two decimals, more than zero. */
  readonly amount: string;
  /** Null where it is missing: money does not wait for a date. */
  readonly paidAt: Date | null;
  /** Digits; null where it cannot be read. */
  readonly phone: string | null;
  /** JSON text that `jsonb` can hold, or null when the body is such a text itself. */
  readonly payload: string | null;
}

/** A callback that says that no money moved. */
export interface StkFailed extends StkNames {
  readonly kind: 'failed';
  /** As it was sent, number or text. */
  readonly resultCode: string;
}

/** A callback, or why it could not be understood and the receipt if at least that could be read. */
export type ParsedStk =
  | { readonly ok: true; readonly message: StkPaid | StkFailed }
  | ({ readonly ok: false; readonly reason: UnreadableReason; readonly receipt: string | null } & StkNames);

const NO_NAMES: StkNames = { merchantRequestId: null, checkoutRequestId: null };

/**
 * Understands what M-PESA reports about a request to a phone. Codes, times and numbers may be JSON numbers or texts; items
 * come in any order, and some without a value. A failure has no items.
 */
export function parseStk(body: Buffer): ParsedStk {
  const json = readJsonBody(body);
  if (!json.ok) return { ...json, ...NO_NAMES, receipt: findReceipt(body) };
  const { text } = json.value;
  // Where something is told twice in one object there is no telling which is true.
  for (const { isRepeat } of jsonMembers(text)) {
    if (isRepeat) return { ...unreadable('duplicate_key'), ...NO_NAMES, receipt: findReceipt(body) };
  }
  const callback = memberOf(memberOf(parseKeepingNumbers(text), 'Body'), 'stkCallback');
  if (!isObject(callback))
    return { ...unreadable('callback_missing'), ...NO_NAMES, receipt: findReceipt(body) };
  const names: StkNames = {
    merchantRequestId: readId(scalarText(memberOf(callback, 'MerchantRequestID'))),
    checkoutRequestId: readId(scalarText(memberOf(callback, 'CheckoutRequestID'))),
  };
  const { items, contradicted } = readItems(memberOf(callback, 'CallbackMetadata'));
  const receipt = readReceipt(items.get('mpesareceiptnumber') ?? '');
  const receiptText = receipt.ok ? receipt.value : null;
  if (contradicted.size > 0) {
    const isCertain = !contradicted.has('mpesareceiptnumber');
    return { ...unreadable('duplicate_key'), ...names, receipt: isCertain ? receiptText : null };
  }

  const resultCode = readResultCode(scalarText(memberOf(callback, 'ResultCode')));
  if (resultCode === null) return { ...unreadable('result_missing'), ...names, receipt: receiptText };
  if (Number(resultCode) !== Number(PAID_CODE)) {
    // A failure that names a receipt contradicts itself.
    if (receipt.ok) return { ...unreadable('result_contradictory'), ...names, receipt: receiptText };
    return { ok: true, message: { kind: 'failed', ...names, resultCode } };
  }
  if (!receipt.ok) return { ...receipt, ...names, receipt: null };
  const amount = readAmount(items.get('amount') ?? '');
  if (!amount.ok) return { ...amount, ...names, receipt: receipt.value };
  const paidAt = readEatTime(items.get('transactiondate') ?? '');
  const payload = storablePayload(text) ?? (json.value.hadByteOrderMark ? text : null);
  return {
    ok: true,
    message: {
      kind: 'paid',
      ...names,
      receipt: receipt.value,
      amount: amount.value,
      paidAt: paidAt.ok ? paidAt.value : null,
      phone: readMsisdn(items.get('phonenumber') ?? '').phone,
      payload,
    },
  };
}

/**
 * The items by their names in lower case, those without a value left out, and the names that are told twice with different
 * values.
 */
function readItems(metadata: unknown) {
  const items = new Map<string, string>();
  const contradicted = new Set<string>();
  for (const item of itemsOf(metadata)) {
    const name = scalarText(memberOf(item, 'Name'))?.toLowerCase();
    const value = scalarText(memberOf(item, 'Value'));
    if (name === undefined || value === undefined) continue;
    if ((items.get(name) ?? value) !== value) contradicted.add(name);
    items.set(name, value);
  }
  return { items, contradicted };
}

/** The items in their list, in a list within it, as a list without its name, one alone without a list, or as the fields of an object. */
function itemsOf(metadata: unknown): readonly unknown[] {
  const items = memberOf(metadata, 'Item') ?? metadata;
  if (Array.isArray(items)) return (items as unknown[]).flat(2);
  if (!isObject(items) || memberOf(items, 'Name') !== undefined) return [items];
  return Object.entries(items).map(([Name, Value]) => ({ Name, Value }));
}
