import { Buffer } from 'node:buffer';
import { isSendable } from '../target.ts';
import type { Organisation } from './organisation.ts';
import { badRequest, REFUSALS } from './refusals.ts';
import type { Refusal } from './refusals.ts';

/** A request for a prompt that the gateway has taken. */
export interface StkRequest {
  readonly shortCode: string;
  /** Whom the money goes to: the short code itself, or the till. */
  readonly partyB: string;
  readonly isTill: boolean;
  /** Whole shillings, as digits. */
  readonly amount: string;
  /** Digits, `2547...`. */
  readonly phone: string;
  readonly callbackUrl: string;
  readonly reference: string;
  readonly description: string;
}

/** The request, or why the gateway refuses it. */
export type Read<T> = { readonly request: T } | { readonly refusal: Refusal };

/** The fields of a body, as texts: the gateway takes numbers with and without quotes. */
export type Fields = Readonly<Record<string, string>>;

/** Most that one payment may be, in shillings. */
const MOST_AMOUNT = 250_000;

/** What is wrong with each field of a request for a prompt, by the name that the gateway gives it; in its order. */
const CHECKS: readonly (readonly [name: string, isRight: (fields: Fields) => boolean])[] = [
  ['BusinessShortCode', ({ BusinessShortCode = '' }) => /^\d{5,7}$/.test(BusinessShortCode)],
  ['Password', ({ Password = '' }) => Password !== ''],
  ['Timestamp', ({ Timestamp = '' }) => isTimestamp(Timestamp)],
  [
    'TransactionType',
    ({ TransactionType = '' }) => /^Customer(?:PayBill|BuyGoods)Online$/.test(TransactionType),
  ],
  ['Amount', ({ Amount = '' }) => /^[1-9]\d{0,5}$/.test(Amount) && Number(Amount) <= MOST_AMOUNT],
  ['PartyA', ({ PartyA = '' }) => isPhone(PartyA)],
  ['PartyB', ({ PartyB = '' }) => /^\d{5,7}$/.test(PartyB)],
  ['PhoneNumber', ({ PhoneNumber = '' }) => isPhone(PhoneNumber)],
  ['CallBackURL', ({ CallBackURL = '' }) => isSendable(CallBackURL)],
  ['AccountReference', ({ AccountReference = '' }) => isShort(AccountReference, 12)],
  ['Remarks', ({ TransactionDesc = '' }) => isShort(TransactionDesc, 13)],
];

/** Reads the body of `POST /mpesa/stkpush/v1/processrequest`. */
export function readStkRequest(fields: Fields, organisation: Organisation): Read<StkRequest> {
  const wrong = CHECKS.find(([, isRight]) => !isRight(fields));
  if (wrong !== undefined) return { refusal: badRequest(wrong[0]) };
  const refusal = refuseCredentials(fields, organisation);
  if (refusal !== null) return { refusal };
  return {
    request: {
      shortCode: fields['BusinessShortCode'] ?? '',
      partyB: fields['PartyB'] ?? '',
      isTill: fields['TransactionType'] === 'CustomerBuyGoodsOnline',
      amount: fields['Amount'] ?? '',
      phone: fields['PhoneNumber'] ?? '',
      callbackUrl: fields['CallBackURL'] ?? '',
      reference: fields['AccountReference'] ?? '',
      description: fields['TransactionDesc'] ?? '',
    },
  };
}

/** Whether short code, time and password belong together. The query asks for the same three. */
export function refuseCredentials(fields: Fields, { shortCode, passkey }: Organisation): Refusal | null {
  if (fields['BusinessShortCode'] !== shortCode) return REFUSALS['no-merchant'];
  const password = Buffer.from(`${shortCode}${passkey}${fields['Timestamp'] ?? ''}`).toString('base64');
  return fields['Password'] === password ? null : REFUSALS['wrong-credentials'];
}

/** `YYYYMMDDHHmmss` that is a time of the calendar. */
export function isTimestamp(text: string): boolean {
  const [, date = '', time = ''] = /^(\d{8})(\d{6})$/.exec(text) ?? [];
  const iso = `${date.replace(/(....)(..)/, '$1-$2-')}T${time.replace(/(..)(..)/, '$1:$2:')}.000Z`;
  const instant = new Date(iso);
  return !Number.isNaN(instant.getTime()) && instant.toISOString() === iso;
}

function isPhone(text: string): boolean {
  return /^254[17]\d{8}$/.test(text);
}

function isShort(text: string, most: number): boolean {
  return text.trim() !== '' && [...text].length <= most;
}
