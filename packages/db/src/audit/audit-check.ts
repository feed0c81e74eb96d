/** One thing that must be true of a sound ledger. */
export interface AuditCheck {
  readonly name: string;
  /** What was compared, for when nothing was found. */
  readonly about: string;
  /** What to do about a finding. */
  readonly advice: string;
  /**
   * The faults, as rows of `subject` (a reference, wallet number, currency or id) and `what` (a sentence). Neither may
   * hold a phone number, a name or a key of a caller.
   */
  readonly sql: string;
}

/**
 * When this ledger began, in a query over any table. Rows that are older come from a database that was adopted: they
 * have no hash until they are backfilled, and no log or inbox row.
 */
export const LEDGER_BEGAN = `(
    SELECT max(b.created_at) FROM core.wallets b WHERE b.id IN ('MPESA-FLOAT', 'SUSPENSE', 'FEES')
)`;

/** Both sides of every transaction: what each wallet gained, in the order of its versions. */
export const LEGS = `(
    SELECT t.reference, t.debit_wallet_id AS wallet, t.debit_version AS version, -t.amount AS change,
           t.debit_balance_after AS after, t.created_at
      FROM core.transactions t
    UNION ALL
    SELECT t.reference, t.credit_wallet_id, t.credit_version, t.amount, t.credit_balance_after, t.created_at
      FROM core.transactions t
)`;
