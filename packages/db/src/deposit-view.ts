import type { CallbackKind } from './callbacks.ts';
import type { SuspenseReason } from './deposit.ts';
import type { Handle } from './db.ts';
import { query } from './statement.ts';
import type { Statement } from './statement.ts';

/** One callback that concerned a receipt, as the inbox has it. */
export interface CallbackView {
  readonly kind: CallbackKind;
  readonly outcome: string;
  readonly error: string | null;
  readonly receivedAt: Date;
}

/** A deposit and every callback that concerned it; `outcome: 'none'` when callbacks came but no money moved. */
export type DepositView =
  | {
      readonly receipt: string;
      readonly outcome: 'credited' | 'suspense';
      readonly reason?: SuspenseReason;
      readonly suggestions: readonly string[];
      /** Decimal string of KES. */
      readonly amount: string;
      readonly wallet: string;
      readonly reference: string;
      readonly paidAt: Date | null;
      readonly createdAt: Date;
      readonly verificationHash: string;
      readonly callbacks: readonly CallbackView[];
    }
  | { readonly receipt: string; readonly outcome: 'none'; readonly callbacks: readonly CallbackView[] };

/** Finds a deposit by its receipt, or null when nothing with that receipt ever reached us. */
export async function findDeposit(db: Handle, receipt: string): Promise<DepositView | null> {
  if (receipt.includes('\0') || receipt.length > 50) return null;
  const key = receipt.trim().toUpperCase().toWellFormed();
  const [deposit] = await query<DepositViewRow>(db, FIND, [key]);
  const callbacks = (await query<CallbackRow>(db, CALLBACKS, [key])).map((row) => ({
    kind: row.kind,
    outcome: row.outcome,
    error: row.error,
    receivedAt: new Date(Number(row.received_at_ms)),
  }));
  if (deposit !== undefined) return viewOf(deposit, callbacks);
  return callbacks.length === 0 ? null : { receipt: key, outcome: 'none', callbacks };
}

interface DepositViewRow {
  readonly receipt: string;
  readonly outcome: 'credited' | 'suspense';
  readonly reason: string | null;
  readonly suggestions: string;
  readonly amount: string;
  readonly wallet: string;
  readonly paid_at_ms: string | null;
  readonly created_at_ms: string;
  readonly verification_hash: string;
}

interface CallbackRow {
  readonly kind: CallbackKind;
  readonly outcome: string;
  readonly error: string | null;
  readonly received_at_ms: string;
}

function viewOf(row: DepositViewRow, callbacks: readonly CallbackView[]): DepositView {
  return {
    receipt: row.receipt,
    outcome: row.outcome,
    ...(row.reason === null ? {} : { reason: row.reason as SuspenseReason }),
    suggestions: row.suggestions === '' ? [] : row.suggestions.split(','),
    amount: row.amount,
    wallet: row.wallet,
    reference: row.receipt,
    paidAt: row.paid_at_ms === null ? null : new Date(Number(row.paid_at_ms)),
    createdAt: new Date(Number(row.created_at_ms)),
    verificationHash: row.verification_hash,
    callbacks,
  };
}

const FIND: Statement = {
  name: 'deposit_find',
  text: `
SELECT t.reference AS receipt, coalesce(lower(l.outcome), 'credited') AS outcome, l.reason,
       coalesce(array_to_string(l.suggestions, ','), '') AS suggestions, t.amount::text AS amount,
       t.credit_wallet_id AS wallet, (extract(epoch FROM l.paid_at) * 1000)::bigint::text AS paid_at_ms,
       (extract(epoch FROM t.created_at) * 1000)::bigint::text AS created_at_ms,
       coalesce(t.verification_hash, '') AS verification_hash
  FROM core.transactions t
  LEFT JOIN services.mpesa_logs l ON l.mpesa_receipt = t.reference
 WHERE t.reference = $1 AND t.type = 'DEPOSIT'`,
};

// UUIDs of version 7 put rows of one millisecond in order too.
const CALLBACKS: Statement = {
  name: 'deposit_callbacks',
  text: `
SELECT kind, outcome, error, (extract(epoch FROM received_at) * 1000)::bigint::text AS received_at_ms
  FROM services.mpesa_callbacks
 WHERE receipt = $1
 ORDER BY received_at, id`,
};
