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

/** What M-PESA says of a receipt. */
export type StatusMessage =
  /** The payment happened: it is proved. */
  | {
      readonly kind: 'completed';
      readonly receipt: string;
      readonly amount: string;
      readonly paidAt: Date | null;
      readonly phone: string | null;
      readonly name: string | null;
      /** The short code that was paid; null where it cannot be read. */
      readonly receiver: string | null;
      readonly payload: string | null;
    }
  /** It has not happened yet. */
  | { readonly kind: 'open' }
  /** It did not happen, or M-PESA does not know it. */
  | { readonly kind: 'refuted'; readonly reason: string };

export type ParsedStatus =
  | { readonly ok: true; readonly message: StatusMessage }
  | { readonly ok: false; readonly reason: UnreadableReason; readonly receipt: string | null };

/**
 * Understands the result of a question about a receipt. Keys are repeated (the second DebitPartyName is the credit party),
 * some have no value, FinalisedTime has two spellings, and TransactionID is a dummy: the receipt is in ReceiptNo.
 */
export function parseStatus(body: Buffer): ParsedStatus {
  const json = readJsonBody(body);
  if (!json.ok) return { ...json, receipt: findReceipt(body) };
  const { text } = json.value;
  const result = memberOf(parseKeepingNumbers(text), 'Result');
  if (!isObject(result)) return { ...unreadable('callback_missing'), receipt: findReceipt(body) };
  const code = readResultCode(scalarText(memberOf(result, 'ResultCode')));
  const read = readParameters(memberOf(memberOf(result, 'ResultParameters'), 'ResultParameter'));
  const first = (name: string) => read.get(name.toLowerCase())?.[0];
  const receipt = readReceipt(first('ReceiptNo') ?? '');
  if (code === null) return { ...unreadable('result_missing'), receipt: receipt.ok ? receipt.value : null };
  if (code !== PAID_CODE)
    return { ok: true, message: { kind: 'refuted', reason: `code_${code}`.slice(0, 40) } };

  const status = (first('TransactionStatus') ?? '').trim().toLowerCase();
  if (status === 'initiated' || status === 'authorized') return { ok: true, message: { kind: 'open' } };
  if (status !== 'completed') {
    const word = /^[a-z ]{1,30}$/.test(status) ? status.replaceAll(' ', '_') : 'status_unknown';
    return { ok: true, message: { kind: 'refuted', reason: word } };
  }
  if (!receipt.ok) return { ...receipt, receipt: null };
  const amount = readAmount(first('Amount') ?? '');
  if (!amount.ok) return { ...amount, receipt: receipt.value };
  const time = readEatTime(first('FinalisedTime') ?? first('FinalizedTime') ?? first('InitiatedTime') ?? '');
  const debits = read.get('debitpartyname') ?? [];
  const payer = readParty(debits[0]);
  return {
    ok: true,
    message: {
      kind: 'completed',
      receipt: receipt.value,
      amount: amount.value,
      paidAt: time.ok ? time.value : null,
      phone: payer.phone,
      name: payer.name,
      receiver: readParty(first('CreditPartyName') ?? debits[1]).number,
      payload: storablePayload(text) ?? (json.value.hadByteOrderMark ? text : null),
    },
  };
}

/** All values of each key in lower case, in their order; keys without a value are left out. */
function readParameters(list: unknown): ReadonlyMap<string, readonly string[]> {
  const parameters = new Map<string, string[]>();
  for (const item of Array.isArray(list) ? (list as unknown[]) : [list]) {
    const key = scalarText(memberOf(item, 'Key'))?.toLowerCase();
    const value = scalarText(memberOf(item, 'Value'));
    if (key === undefined || value === undefined) continue;
    parameters.set(key, [...(parameters.get(key) ?? []), value]);
  }
  return parameters;
}

/** `254700000001 - Jane Roe`, `600100 - A Shop`. */
function readParty(text = '') {
  const [, number = '', name = ''] = /^\s*([\d*+ ]*\d)\s*-\s*(.*)$/s.exec(text) ?? [];
  return {
    number: number === '' ? null : number.trim(),
    phone: readMsisdn(number).phone,
    name: name.trim() === '' ? null : name.trim().slice(0, 1_000),
  };
}
