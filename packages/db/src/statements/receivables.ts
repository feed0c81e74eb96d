import { query } from '../connection/handle.ts';
import type { Handle, Statement } from '../connection/handle.ts';

/** What is owed for a payment that M-PESA took back when its money was spent. */
export interface Receivable {
  /** Of the movement by which it became owed. */
  readonly reference: string;
  /** The payment that was taken back, and the wallet that it had been credited to. */
  readonly receipt: string;
  readonly wallet: string;
  /** Decimal string of KES. */
  readonly amount: string;
  readonly postedAt: Date;
}

export interface Receivables {
  /** What is owed in all, less what was collected: the negative of the balance of RECEIVABLES. */
  readonly outstanding: string;
  /** Newest first, at most 1,000; what was collected is not subtracted. */
  readonly rows: readonly Receivable[];
}

export async function listReceivables(db: Handle): Promise<Receivables> {
  const [balance] = await query<{ outstanding: string }>(db, OUTSTANDING, []);
  const rows = await query<Omit<Receivable, 'postedAt'> & { at_ms: string }>(db, LIST, []);
  return {
    outstanding: balance?.outstanding ?? '0.00',
    rows: rows.map(({ at_ms: at, ...row }) => ({ ...row, postedAt: new Date(Number(at)) })),
  };
}

const OUTSTANDING: Statement = {
  name: 'receivables_outstanding',
  text: `SELECT (-w.balance)::text AS outstanding FROM core.wallets w WHERE w.id = 'RECEIVABLES'`,
};

// The unique index of postings finds those of one wallet, newest first.
const LIST: Statement = {
  name: 'receivables_list',
  text: `
SELECT r.reference, d.reference AS receipt, coalesce(a.credit_wallet_id, d.credit_wallet_id) AS wallet,
       r.amount::text AS amount, (extract(epoch FROM r.created_at) * 1000)::bigint::text AS at_ms
  FROM core.transactions r
  JOIN core.transactions d ON d.id = r.reverses_id
  LEFT JOIN LATERAL core.current_assignment(d.reference) c ON core.account_of(d.credit_wallet_id) = 'SUSPENSE'
  LEFT JOIN core.transactions a ON a.reference = c.reference
 WHERE r.debit_wallet_id = 'RECEIVABLES' AND r.type = 'REVERSAL'
 ORDER BY r.debit_version DESC
 LIMIT 1000`,
  overNodes: `
WITH owed AS MATERIALIZED (
    SELECT r.* FROM lanes.receivables(1000) r
), paid AS MATERIALIZED (
    SELECT d.* FROM lanes.transactions_by_id(ARRAY(SELECT r.reverses_id FROM owed r)) d
), assigned AS MATERIALIZED (
    SELECT c.*
      FROM lanes.assignments_of(
          ARRAY(SELECT d.reference::text FROM paid d WHERE core.account_of(d.credit_wallet_id) = 'SUSPENSE')
      ) c
)
SELECT r.reference, d.reference AS receipt, coalesce(a.credit_wallet_id, d.credit_wallet_id) AS wallet,
       r.amount::text AS amount, (extract(epoch FROM r.created_at) * 1000)::bigint::text AS at_ms
  FROM owed r
  JOIN paid d ON d.id = r.reverses_id
  LEFT JOIN assigned c ON c.receipt = d.reference
  LEFT JOIN lanes.transactions_of(ARRAY(SELECT x.reference FROM assigned x)) a ON a.reference = c.reference
 ORDER BY r.debit_version DESC`,
};
