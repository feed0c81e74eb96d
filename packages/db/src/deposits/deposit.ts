/** The currencies that a wallet may hold. M-PESA in Kenya pays in KES only. */
export type Currency = 'KES';

/** One payment as M-PESA reported it, after parsing. Every text is free of NUL and lone surrogates. */
export interface Deposit {
  /** M-PESA receipt, 6 to 20 capitals (A-Z) and digits: the idempotency key of the money. */
  readonly receipt: string;
  /** Decimal string of KES with exactly two decimals and no grouping, more than zero: `"1500.00"`. */
  readonly amount: string;
  /** The paybill or till that was paid, as sent. */
  readonly shortCode: string;
  /** What the payer typed as the account, exactly as sent; empty for a till. */
  readonly account: string;
  /** When the customer paid (an instant; M-PESA sends it in EAT). */
  readonly paidAt: Date;
  /** Who paid, as far as M-PESA says so. */
  readonly payer: Payer;
  /** The request that reported it, kept in the inbox as received. */
  readonly callback: DepositCallback;
}

export interface Payer {
  /** Digits (`2547...`) or the mask as sent (`2547 ***** 126`), at most 20 characters; null when absent or hashed. */
  readonly phone: string | null;
  /**
   * SHA-256 in lower-case hex, whole or masked in the middle as sent; null when the number came plain, masked or not at
   * all.
   */
  readonly phoneHash: string | null;
  /** Names as sent, joined by one space; null when none was sent. */
  readonly name: string | null;
}

export interface DepositCallback {
  /** Which route it came by. */
  readonly kind: 'C2B_CONFIRMATION' | 'STK_CALLBACK' | 'STATUS_RESULT' | 'PULL' | 'STATEMENT' | 'API';
  /** Where it came from (an address), null when unknown. */
  readonly source: string | null;
  /** The bytes as received. */
  readonly body: Uint8Array;
  /**
   * JSON text that `jsonb` can hold, for `mpesa_logs.raw_payload`; null when `body` itself is such a text
   * (valid UTF-8 JSON without `\u0000` or lone surrogates), which saves sending it twice.
   */
  readonly payload: string | null;
}

/** How deposits are recorded. */
export interface DepositOptions {
  /**
   * A payment of a larger amount is kept and not posted, until a person releases it (`releaseDeposit`). Decimal string
   * of KES; default: 10000000.00. Nothing above 1,000,000,000,000.00 is ever posted.
   */
  readonly maxAmount?: string;
}

/** Why a payment waits in suspense instead of a customer's wallet. */
export type SuspenseReason =
  | 'no_account'
  | 'unknown_account'
  | 'wrong_check_digit'
  | 'ambiguous_phone'
  | 'wallet_frozen'
  | 'wallet_closed'
  | 'currency_mismatch';

/** Where the money of a recorded deposit is. */
export interface RecordedDeposit {
  readonly receipt: string;
  /** The ledger transaction's reference: the receipt itself. */
  readonly reference: string;
  readonly transactionId: string;
  /** The wallet credited: the customer's, or the suspense wallet. */
  readonly wallet: string;
  readonly amount: string;
  /** The wallet's balance right after this deposit. */
  readonly balanceAfter: string;
  readonly createdAt: Date;
  /** Empty for a transaction that is older than the hash. */
  readonly verificationHash: string;
}

/** What became of one reported payment. Amounts are decimal strings of KES. */
export type DepositResult =
  | ({ readonly outcome: 'credited' } & RecordedDeposit)
  | ({
      readonly outcome: 'suspense';
      readonly reason: SuspenseReason;
      /** Wallet numbers one slip of the finger away from what was typed. */
      readonly suggestions: readonly string[];
    } & RecordedDeposit)
  | ({
      /** Same receipt, same facts: the original outcome again; no money moved. */
      readonly outcome: 'duplicate';
      readonly original: 'credited' | 'suspense';
    } & RecordedDeposit)
  | {
      /** The amount is above `maxAmount`: kept, and no money moved until a person decides. */
      readonly outcome: 'held';
      readonly receipt: string;
      readonly amount: string;
    }
  | {
      /** Same receipt, same facts as a payment that is held. */
      readonly outcome: 'duplicate';
      readonly original: 'held';
      readonly receipt: string;
      readonly amount: string;
    }
  | {
      /** Same receipt, another amount or short code: recorded in the inbox, no money moved. */
      readonly outcome: 'conflict';
      readonly receipt: string;
      readonly recorded: { readonly amount: string; readonly shortCode: string };
    }
  | {
      /** No money moved, and no retry can move it: the wallet's column cannot hold the sum. In the inbox as FAILED. */
      readonly outcome: 'refused';
      readonly receipt: string;
      readonly reason: string;
    };
