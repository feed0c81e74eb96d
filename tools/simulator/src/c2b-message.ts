import { createHash } from 'node:crypto';
import { eatDigits } from './eat-clock.ts';
import type { Payment } from './payment.ts';

/** A C2B message: every value is a text, and the keys stand in the order in which M-PESA sends them. */
export interface C2bMessage {
  readonly TransactionType: string;
  readonly TransID: string;
  readonly TransTime: string;
  readonly TransAmount: string;
  readonly BusinessShortCode: string;
  readonly BillRefNumber?: string;
  readonly InvoiceNumber?: string;
  readonly OrgAccountBalance?: string;
  readonly ThirdPartyTransID?: string;
  readonly MSISDN: string;
  readonly FirstName: string;
  readonly MiddleName?: string;
  readonly LastName?: string;
}

/**
 * The forms in which messages really come:
 * - `masked`: version 2 of the API, `2547 ***** 126`, with the first name only;
 * - `hashed`: version 1, the SHA-256 of the number;
 * - `hashed-masked`: the hash with its middle masked, as some tills get it;
 * - `plain`: the number in clear and all names, as before 2022;
 * - `till`: buy goods, no account;
 * - `till-short`: the same without the fields that would be empty;
 * - `organisation`: from a bank or another organisation, no number, one name.
 */
export const C2B_SHAPES = [
  'masked',
  'hashed',
  'hashed-masked',
  'plain',
  'till',
  'till-short',
  'organisation',
] as const;

export type C2bShape = (typeof C2B_SHAPES)[number];

/** The confirmation of a payment: the money has moved. */
export function confirmationOf(payment: Payment, shape: C2bShape = 'masked'): C2bMessage {
  if (shape === 'till-short')
    return { ...head(payment, TILL_TYPE), MSISDN: payment.phone, ...names(payment, 'both') };
  if (shape === 'organisation') {
    return {
      ...head(payment, 'Organization To Organization Transfer'),
      BillRefNumber: payment.account,
      InvoiceNumber: 'OK',
      OrgAccountBalance: payment.orgBalance,
      ThirdPartyTransID: '',
      MSISDN: '',
      FirstName: `${payment.lastName} SAVINGS LIMITED B2C`,
    };
  }
  const account = shape === 'till' ? '' : payment.account;
  return {
    ...head(payment, account === '' ? TILL_TYPE : 'Pay Bill'),
    BillRefNumber: account,
    InvoiceNumber: '',
    OrgAccountBalance: payment.orgBalance,
    ThirdPartyTransID: '',
    MSISDN: msisdnOf(payment.phone, shape),
    ...names(payment, shape === 'masked' || shape === 'hashed-masked' ? 'first' : 'all'),
  };
}

/** The question that M-PESA asks before the money moves: the same receipt, no type and no balance yet. */
export function validationOf(payment: Payment, shape: C2bShape = 'masked'): C2bMessage {
  const confirmation = confirmationOf(payment, shape);
  return {
    ...confirmation,
    TransactionType: '',
    ...(confirmation.OrgAccountBalance === undefined ? {} : { OrgAccountBalance: '' }),
  };
}

const TILL_TYPE = 'Customer Merchant Payment';

function head(payment: Payment, type: string) {
  return {
    TransactionType: type,
    TransID: payment.receipt,
    TransTime: eatDigits(payment.paidAt),
    TransAmount: payment.amount,
    BusinessShortCode: payment.shortCode,
  };
}

function names({ firstName, middleName, lastName }: Payment, which: 'first' | 'both' | 'all') {
  if (which === 'first') return { FirstName: firstName };
  if (which === 'both') return { FirstName: firstName, LastName: lastName };
  return { FirstName: firstName, MiddleName: middleName, LastName: lastName };
}

function msisdnOf(phone: string, shape: C2bShape): string {
  if (shape === 'masked') return `${phone.slice(0, 4)} ***** ${phone.slice(-3)}`;
  if (shape !== 'hashed' && shape !== 'hashed-masked') return phone;
  const hash = createHash('sha256').update(phone).digest('hex');
  return shape === 'hashed' ? hash : `${hash.slice(0, 34)} ***** ${hash.slice(39)}`;
}
