export type TransactionType = 'DEPOSIT' | 'TRANSFER' | 'WITHDRAWAL' | 'FEE' | 'REVERSAL' | 'ASSIGNMENT';

/** A transaction that was written. Amounts are decimal strings with two decimals. */
export interface Posted {
  readonly reference: string;
  readonly transactionId: string;
  readonly type: TransactionType;
  readonly from: string;
  readonly to: string;
  readonly amount: string;
  readonly currency: string;
  /** What was left in `from`, its fee paid. */
  readonly balanceAfter: string;
  /** The fee that was posted with it, whichever side paid it; `0.00` without a fee. */
  readonly fee: string;
  readonly createdAt: Date;
  readonly verificationHash: string;
  /** Whether this is the answer to an earlier request with the same key. */
  readonly replayed: boolean;
}
