import { arrayLiteral } from '../connection/array-literal.ts';
import type { Handle, Statement } from '../connection/handle.ts';
import type { TransactionType } from './posted.ts';
import { query } from '../connection/handle.ts';
import type { WalletLanguage } from '../wallets/wallets.ts';

/** A transaction as it is in the ledger. Amounts are decimal strings with two decimals. */
export interface TransactionView {
  readonly reference: string;
  readonly type: TransactionType;
  readonly from: Party;
  readonly to: Party;
  readonly amount: string;
  readonly currency: string;
  /** Not a valid date where the row has one that no `Date` holds, such as `infinity`. */
  readonly createdAt: Date;
  /** Null on rows older than the hash. */
  readonly verificationHash: string | null;
  readonly narrative: string | null;
  /** The reference of the transaction that this one reverses. */
  readonly reverses: string | null;
  /** The references of its reversals, oldest first. */
  readonly reversedBy: readonly string[];
  /** What is left of it after its reversals. */
  readonly remaining: string;
  /** When M-PESA says that it was paid: of a deposit, and of a payment that was assigned; null for what else moves. */
  readonly paidAt: Date | null;
  /** What was charged with it, and which side paid that; null for nothing. */
  readonly fee: { readonly amount: string; readonly paidBy: 'from' | 'to' } | null;
}

export interface Party {
  readonly number: string;
  readonly name: string;
  readonly kind: 'CUSTOMER' | 'SYSTEM';
  /** What its holder is written in. */
  readonly language: WalletLanguage;
}

/**
 * Finds a transaction by its reference (a deposit's is its M-PESA receipt), or null. Of several references it finds the
 * first that exists, in one query however many they are.
 */
export async function findTransaction(
  db: Handle,
  reference: string | readonly string[],
): Promise<TransactionView | null> {
  const wanted = findable([reference].flat());
  if (wanted.length === 0) return null;
  const [row] = await query<TransactionRow>(db, FIND, [arrayLiteral(wanted)]);
  if (row === undefined) return null;
  return {
    reference: row.reference,
    type: row.type,
    from: {
      number: row.debit_wallet_id,
      name: row.debit_name,
      kind: row.debit_kind,
      language: row.debit_language,
    },
    to: {
      number: row.credit_wallet_id,
      name: row.credit_name,
      kind: row.credit_kind,
      language: row.credit_language,
    },
    amount: row.amount,
    currency: row.currency,
    createdAt: new Date(Number(row.created_at_ms)),
    verificationHash: row.verification_hash,
    narrative: row.narrative,
    reverses: row.reverses,
    reversedBy: row.reversed_by === '' ? [] : row.reversed_by.split(','),
    remaining: row.remaining,
    paidAt: row.paid_at_ms === null ? null : new Date(Number(row.paid_at_ms)),
    fee: row.fee === null ? null : { amount: row.fee, paidBy: row.fee_paid_by },
  };
}

/**
 * The verification hash of the transaction with the first of the references that exists; null if there is no such
 * transaction or it has no hash. One statement whatever is asked, which reads nothing but the hash, so that the time of
 * the answer does not tell a known reference from an unknown one.
 */
export async function findVerificationHash(
  db: Handle,
  references: readonly string[],
): Promise<string | null> {
  const [row] = await query<HashRow>(db, FIND_HASH, [arrayLiteral(findable(references))]);
  return row?.verification_hash ?? null;
}

/** Those that a row can have at all, as PostgreSQL takes them. */
function findable(references: readonly string[]): string[] {
  return references
    .filter((each) => !each.includes('\0') && each.length <= 50)
    .map((each) => each.toWellFormed());
}

interface HashRow {
  readonly verification_hash: string | null;
}

interface TransactionRow {
  readonly reference: string;
  readonly type: TransactionType;
  readonly debit_wallet_id: string;
  readonly debit_name: string;
  readonly debit_kind: 'CUSTOMER' | 'SYSTEM';
  readonly debit_language: WalletLanguage;
  readonly credit_wallet_id: string;
  readonly credit_name: string;
  readonly credit_kind: 'CUSTOMER' | 'SYSTEM';
  readonly credit_language: WalletLanguage;
  readonly amount: string;
  readonly currency: string;
  readonly created_at_ms: string;
  readonly verification_hash: string | null;
  readonly narrative: string | null;
  readonly reverses: string | null;
  readonly reversed_by: string;
  readonly remaining: string;
  readonly paid_at_ms: string | null;
  readonly fee: string | null;
  readonly fee_paid_by: 'from' | 'to';
}

const PAYMENT = `CASE t.type WHEN 'DEPOSIT' THEN t.reference WHEN 'ASSIGNMENT' THEN regexp_replace(t.reference, '^AS\\d*-', '') END`;

const findText = ({ transactions, wallets, reversed, fees, logs, reversals }: Words): string => `
SELECT t.reference, t.type, core.account_of(t.debit_wallet_id) AS debit_wallet_id, d.holder_name AS debit_name, d.kind AS debit_kind,
       d.language::text AS debit_language, c.language::text AS credit_language,
       core.account_of(t.credit_wallet_id) AS credit_wallet_id, c.holder_name AS credit_name, c.kind AS credit_kind,
       t.amount::text AS amount, t.currency::text AS currency,
       round(extract(epoch FROM t.created_at) * 1000)::text AS created_at_ms,
       t.verification_hash, t.narrative, o.reference AS reverses,
       coalesce(r.refs, '') AS reversed_by, (t.amount - coalesce(r.amount, 0))::text AS remaining,
       round(extract(epoch FROM l.paid_at) * 1000)::text AS paid_at_ms, f.amount::text AS fee,
       CASE WHEN f.debit_wallet_id = t.debit_wallet_id THEN 'from' ELSE 'to' END AS fee_paid_by
  FROM ${transactions} t
  JOIN ${wallets('t.debit_wallet_id')} d ON d.id = t.debit_wallet_id
  JOIN ${wallets('t.credit_wallet_id')} c ON c.id = t.credit_wallet_id
  LEFT JOIN ${reversed} o ON o.id = t.reverses_id
  LEFT JOIN ${fees} f ON f.reference = t.reference || '-F' AND f.type = 'FEE'
  -- An assignment has the receipt of the payment behind its prefix.
  LEFT JOIN ${logs} l
    ON l.mpesa_receipt = ${PAYMENT}
 CROSS JOIN LATERAL (
    SELECT string_agg(x.reference, ',' ORDER BY x.created_at, x.id) AS refs, sum(x.amount) AS amount
      FROM ${reversals} x
     WHERE x.reverses_id = t.id
  ) r
 WHERE t.reference = ANY ($1::text[])
 ORDER BY array_position($1::text[], t.reference::text)
 LIMIT 1`;

/** What the statement says in another way where the tables lie on several servers. */
interface Words {
  readonly transactions: string;
  readonly wallets: (id: string) => string;
  readonly reversed: string;
  readonly fees: string;
  readonly logs: string;
  readonly reversals: string;
}

const FIND: Statement = {
  name: 'transaction_find_first',
  text: findText({
    transactions: 'core.transactions',
    wallets: () => 'core.wallets',
    reversed: 'core.transactions',
    fees: 'core.transactions',
    logs: 'services.mpesa_logs',
    reversals: 'core.transactions',
  }),
  overNodes: findText({
    transactions: 'lanes.transactions_of($1::text[])',
    wallets: (id) => `lanes.wallets_of(ARRAY[${id}]::text[])`,
    reversed: 'lanes.transactions_by_id(ARRAY[t.reverses_id])',
    fees: `lanes.transactions_of(ARRAY[t.reference || '-F'])`,
    logs: `lanes.logs_of(ARRAY[${PAYMENT}])`,
    reversals: 'lanes.reversals_of(ARRAY[t.id])',
  }),
};

const FIND_HASH: Statement = {
  name: 'transaction_find_hash',
  text: `
SELECT (
    SELECT verification_hash FROM core.transactions
     WHERE reference = ANY ($1::text[])
     ORDER BY array_position($1::text[], reference::text)
     LIMIT 1
) AS verification_hash`,
  overNodes: `
SELECT (
    SELECT t.verification_hash FROM lanes.transactions_of($1::text[]) t
     ORDER BY array_position($1::text[], t.reference::text)
     LIMIT 1
) AS verification_hash`,
};
