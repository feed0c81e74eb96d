import { createHash } from 'node:crypto';
import { ReceiptError } from './errors.ts';

export const TRANSACTION_TYPES = [
  'DEPOSIT',
  'TRANSFER',
  'WITHDRAWAL',
  'FEE',
  'REVERSAL',
  'ASSIGNMENT',
] as const;

export type TransactionType = (typeof TRANSACTION_TYPES)[number];

/** A type as it is signed and sent: in lower case, like every type over HTTP. */
export type ShownType = Lowercase<TransactionType>;

export function shownType(type: TransactionType): ShownType {
  return type.toLowerCase() as ShownType;
}

export interface Party {
  /** The wallet number; for a system wallet its name in the ledger, such as `MPESA-FLOAT`. */
  readonly number: string;
  /** The holder's name as stored; null when none is known. */
  readonly name: string | null;
  readonly kind: 'CUSTOMER' | 'SYSTEM';
}

/** A fee that was charged with a transaction, and which of its sides paid it. */
export interface ReceiptFee {
  /** Decimal string with two decimals. */
  readonly amount: string;
  readonly paidBy: 'from' | 'to';
}

/** Whose receipts they are. */
export interface Issuer {
  /** As customers know it: `Mwananchi Sacco`. */
  readonly name: string;
  /** Where they ask: a telephone number, an address; null for none. */
  readonly contact: string | null;
}

/** One transaction of the ledger, unmasked: what a receipt is made of. Nothing of it is shown as it is. */
export interface ReceiptFacts {
  readonly reference: string;
  readonly type: TransactionType;
  /** Decimal string with exactly two decimals and no grouping: `"1500.00"`. */
  readonly amount: string;
  readonly currency: 'KES';
  readonly createdAt: Date;
  /** 64 lower-case hex digits, as stored with the transaction. */
  readonly verificationHash: string;
  readonly from: Party;
  readonly to: Party;
  /** When the payer paid, by M-PESA's clock, which is before it was recorded; null where nobody says. */
  readonly paidAt?: Date | null;
  readonly fee?: ReceiptFee | null;
  /** What it was for, as its caller worded it. */
  readonly narrative?: string | null;
}

/** Seventeen digits before the point are what a DECIMAL(19,2) column holds. */
export const AMOUNT = /^(?:0|[1-9]\d{0,16})\.\d{2}$/;

/** Twice what the ledger's column holds, so that escaping never makes a page or a QR code too long to be drawn. */
export const LONGEST_REFERENCE = 100;

/** Twice the column's 255, as a character may be two units. */
export const LONGEST_NARRATIVE = 510;

/**
 * The verification hash that belongs to a reference, an amount (two decimals) and a time (ISO 8601, UTC, with
 * milliseconds). Computed here a second time, apart from the ledger's own function: who checks should not trust the
 * code that wrote, and an offline check needs no database package. A test holds the two together.
 */
export function expectedHash(facts: { reference: string; amount: string; createdAt: string }): string {
  return createHash('sha256')
    .update(`${facts.reference}${facts.amount}${facts.createdAt}`, 'utf8')
    .digest('hex');
}

/**
 * Refuses facts that no receipt may vouch for.
 *
 * @throws ReceiptError `FACTS_INVALID`, `AMOUNT_INVALID`, or `FACTS_CONTRADICT_HASH` when the row was changed after
 * its hash was written: signing it would make a tampered row look genuine.
 */
export function checkFacts(facts: ReceiptFacts): void {
  if (!AMOUNT.test(facts.amount)) {
    throw new ReceiptError('AMOUNT_INVALID', 'pass a decimal string with two decimals and no grouping');
  }
  if (facts.fee !== undefined && facts.fee !== null && !AMOUNT.test(facts.fee.amount)) {
    throw new ReceiptError('AMOUNT_INVALID', 'pass its fee as a decimal string with two decimals');
  }
  for (const time of [facts.createdAt, facts.paidAt ?? facts.createdAt]) {
    const year = time.getUTCFullYear();
    if (!(year >= 1 && year <= 9999)) {
      throw new ReceiptError('FACTS_INVALID', 'its time is not a date between the years 1 and 9999');
    }
  }
  const { narrative = null } = facts;
  if (narrative !== null && (narrative.length > LONGEST_NARRATIVE || !narrative.isWellFormed())) {
    throw new ReceiptError(
      'FACTS_INVALID',
      `its narrative must be text of at most ${LONGEST_NARRATIVE} characters`,
    );
  }
  const { reference } = facts;
  const isText = reference !== '' && !reference.includes('\0') && reference.isWellFormed();
  if (!isText || reference.length > LONGEST_REFERENCE) {
    throw new ReceiptError(
      'FACTS_INVALID',
      `its reference must be text of 1 to ${LONGEST_REFERENCE} characters`,
    );
  }
  const hash = expectedHash({ reference, amount: facts.amount, createdAt: facts.createdAt.toISOString() });
  if (hash !== facts.verificationHash) {
    throw new ReceiptError('FACTS_CONTRADICT_HASH', 'have the ledger audited before anything else');
  }
}
