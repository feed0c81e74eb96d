import { query } from '../connection/handle.ts';
import type { Handle, Statement } from '../connection/handle.ts';
import { AmountError, DaftariError } from '../errors.ts';
import { readBack, refusal } from '../refusals.ts';
import { requestDigest, requireAmount, requireText } from '../request.ts';
import { findPayment } from './find-payment.ts';
import type { Payment } from './payment.ts';

export interface PaymentRequest {
  /** The wallet that is to be credited. */
  readonly wallet: string;
  /** Decimal string of KES: whole shillings, at least one. */
  readonly amount: string;
  /** Any way a Kenyan mobile number is written. */
  readonly phone: string;
  /** What M-PESA shows as the account, 12 characters at most. Default: the wallet's number. */
  readonly reference?: string;
  /** 13 characters at most. Default: `Payment`. */
  readonly description?: string;
  /** The paybill or till that is paid. */
  readonly shortCode: string;
  readonly idempotencyKey: string;
  /** How long the caller may take to send it and to note the answer; milliseconds. */
  readonly leaseMs: number;
}

/** A payment that was written down; with `isNew` the caller sends it, once, and notes the answer. */
export interface RequestedPayment {
  readonly payment: Payment;
  readonly isNew: boolean;
}

/**
 * Writes down that a customer's phone is to be asked for a payment, once for the key. The record comes before the request:
 * an attempt that nobody notes an answer for becomes UNKNOWN, and is never sent again.
 *
 * @throws DaftariError `invalid_request` (with the field), `invalid_amount`, `unknown_wallet`, `wallet_frozen`,
 * `wallet_closed`, `currency_mismatch`, `key_reused`
 */
export async function requestPayment(db: Handle, request: PaymentRequest): Promise<RequestedPayment> {
  const { wallet, shortCode, idempotencyKey, leaseMs, description = 'Payment' } = request;
  const reference = request.reference ?? wallet.slice(0, MAX_REFERENCE);
  const amount = requireAmount(request.amount);
  // M-PESA refuses cents.
  if (!amount.endsWith('.00')) throw new AmountError('not_whole');
  const phone = requirePhone(request.phone);
  requireText('wallet', wallet, 20);
  requireShown('reference', reference, MAX_REFERENCE);
  requireShown('description', description, MAX_DESCRIPTION);
  requireText('shortCode', shortCode, 20);
  requireText('idempotencyKey', idempotencyKey, 255);
  const digest = requestDigest('payment', [wallet, amount, phone, reference, description, shortCode]);
  const values = [wallet, amount, phone, reference, description, shortCode, leaseMs, idempotencyKey, digest];
  const [row] = await query<RequestRow>(db, REQUEST, values);
  if (row === undefined) throw new DaftariError('database_error');
  if (row.outcome === 'key_reused') throw new DaftariError('key_reused');
  const { id } = row;
  if (id === null) throw refusal(row.reason);
  const payment = await readBack(() => findPayment(db, id));
  // A key that was used for something else with the same digest is not possible; its payment is never deleted.
  if (payment === null) throw new DaftariError('database_error');
  return { payment, isNew: row.outcome === 'requested' };
}

const MAX_REFERENCE = 12;
const MAX_DESCRIPTION = 13;

/** The digits, `2547...` or `2541...`. */
function requirePhone(phone: string): string {
  const subscriber = /^(?:(?:\+|00)?254|0)?([17]\d{8})$/.exec(phone.replace(/[\s()-]/g, ''))?.[1];
  if (subscriber === undefined) throw new DaftariError('invalid_request', { field: 'phone' });
  return `254${subscriber}`;
}

/** What stands on the payer's phone: M-PESA takes letters, digits and a few marks, and counts bytes. */
function requireShown(field: string, text: string, longest: number): void {
  const isFit = text.trim() === text && text.length <= longest && /^[\x20-\x7e]+$/.test(text);
  if (!isFit) throw new DaftariError('invalid_request', { field });
}

interface RequestRow {
  readonly outcome: 'requested' | 'replayed' | 'key_reused' | 'refused';
  readonly reason: string | null;
  readonly id: string | null;
}

const REQUEST: Statement = {
  name: 'payment_request',
  text: `
SELECT outcome, reason, id::text AS id
  FROM services.request_payment(
    $1::text, $2::numeric, $3::text, $4::text, $5::text, $6::text, $7::integer, $8::text, $9::text
  )`,
};
