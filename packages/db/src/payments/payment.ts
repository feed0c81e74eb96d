/**
 * `REQUESTED`: M-PESA has not accepted it yet. `PENDING`: the prompt is on its way or on the phone. `PAID`: a receipt came.
 * `FAILED`: it was refused, cancelled or not answered; a receipt that comes late makes it PAID all the same. `UNKNOWN`:
 * nobody knows, and it is never sent again by itself.
 */
export type PaymentStatus = 'REQUESTED' | 'PENDING' | 'PAID' | 'FAILED' | 'UNKNOWN';

/** A payment that a customer's phone was asked for. */
export interface Payment {
  readonly id: string;
  readonly status: PaymentStatus;
  /** The wallet that is credited. */
  readonly wallet: string;
  /** Decimal string of KES, whole shillings. */
  readonly amount: string;
  /** Digits, `2547...` or `2541...`. */
  readonly phone: string;
  readonly reference: string;
  readonly description: string;
  /** The paybill or till that is paid. */
  readonly shortCode: string;
  /** Why it failed or is unknown, as a code; null otherwise. */
  readonly reason: string | null;
  /** M-PESA's own code, as it was sent. */
  readonly resultCode: string | null;
  readonly merchantRequestId: string | null;
  /** Personal data, and no key for money. */
  readonly checkoutRequestId: string | null;
  /** The first receipt that settled it. */
  readonly receipt: string | null;
  /** Whether something about it contradicts something else; its events say what. */
  readonly isFlagged: boolean;
  /** How often it was sent, and how often M-PESA was asked about it. */
  readonly attempts: number;
  readonly checks: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** What happened to a payment, in the order of time. */
export interface PaymentEvent {
  readonly kind: string;
  /** The status afterwards. */
  readonly status: PaymentStatus;
  readonly reason: string | null;
  readonly resultCode: string | null;
  readonly receipt: string | null;
  readonly at: Date;
}
