import { query } from '../connection/handle.ts';
import type { Handle, Statement } from '../connection/handle.ts';
import { DaftariError } from '../errors.ts';
import type { PaymentStatus } from './payment.ts';

/** Where a report came from, kept in the inbox as received. */
interface Report {
  readonly kind: 'STK_CALLBACK' | 'STATUS_RESULT';
  readonly source: string | null;
  /** The bytes as received. */
  readonly body: Uint8Array;
}

export interface PaymentFailure extends Report {
  readonly id: string;
  /** Why, as a code of ours. */
  readonly reason: string;
  /** M-PESA's code, as it was sent. */
  readonly resultCode: string;
  readonly merchantRequestId: string | null;
  readonly checkoutRequestId: string | null;
}

/**
 * Keeps the report that a payment will not be paid, as NOTED, and makes the payment FAILED, unless it is paid.
 *
 * @returns the status of the payment afterwards
 */
export async function recordPaymentFailure(db: Handle, failure: PaymentFailure): Promise<PaymentStatus> {
  const { id, kind, source, body, reason, resultCode, merchantRequestId, checkoutRequestId } = failure;
  const values = [id, kind, source, body, reason, resultCode, merchantRequestId, checkoutRequestId];
  const [row] = await query<{ status: PaymentStatus }>(db, FAILURE, values);
  if (row === undefined) throw new DaftariError('database_error');
  return row.status;
}

export interface UnprovenPayment extends Report {
  /** The payment that it contradicts; null when it is about none of ours. */
  readonly payment: string | null;
  readonly receipt: string | null;
  readonly reason: string;
  /** The payer's number as the report tells it. */
  readonly phone: string | null;
  /** When M-PESA is to be asked about the receipt; null for never. */
  readonly dueMs: number | null;
}

/** Keeps the report of a payment that proves nothing, as QUARANTINED. It credits nobody. */
export async function recordUnproven(db: Handle, unproven: UnprovenPayment): Promise<void> {
  const { payment, kind, receipt, reason, phone, source, body, dueMs } = unproven;
  await query(db, UNPROVEN, [payment, kind, receipt, reason, phone, source, body, dueMs]);
}

const FAILURE: Statement = {
  name: 'payment_failure',
  text: `
SELECT services.record_payment_failure(
    $1::uuid, $2::text, $3::text, $4::bytea, $5::text, $6::text, $7::text, $8::text
  ) AS status`,
};

const UNPROVEN: Statement = {
  name: 'payment_unproven',
  text: `
SELECT services.record_unproven(
    $1::uuid, $2::text, $3::text, $4::text, $5::text, $6::text, $7::bytea, $8::integer
  )::text AS done`,
};
