import type { CallbackKind } from './inbox.ts';
import type { SuspenseReason } from './deposit.ts';
import { query, read } from '../connection/handle.ts';
import type { Handle, Statement } from '../connection/handle.ts';
import type { MpesaDecision } from '../generated/client.ts';
import { receiptKey } from './receipt.ts';
import { SUGGESTIONS, suggestionsOf } from './suggestions.ts';
import type { Suggestion } from './suggestions.ts';

/** One callback that concerned a receipt, as the inbox has it. */
export interface CallbackView {
  readonly kind: CallbackKind;
  readonly outcome: string;
  readonly error: string | null;
  readonly receivedAt: Date;
}

/** A person's decision about a payment or a message that concerned it. */
export interface DecisionView {
  readonly decision:
    | 'KEPT'
    | 'CORRECTED'
    | 'REPLAYED'
    | 'RELEASED'
    | 'REJECTED'
    | 'REFUND'
    | 'NO_REFUND'
    | 'ASSIGNED'
    | 'MOVED'
    | 'REVIEWED';
  /** Null for an assignment that nobody gave a reason for. */
  readonly reason: string | null;
  readonly decidedBy: string;
  readonly reference: string | null;
  readonly decidedAt: Date;
}

/** What a further kind of message told of a receipt; the first one is the deposit itself. Full of personal data. */
export interface WitnessView {
  readonly kind: CallbackKind;
  readonly amount: string;
  readonly shortCode: string;
  readonly account: string | null;
  readonly phone: string | null;
  readonly name: string | null;
  /** The wallet that it means, where that is another than the one credited. */
  readonly otherWallet: string | null;
  readonly at: Date;
}

/** What came of a receipt besides its deposit, in the order of time. */
interface History {
  readonly callbacks: readonly CallbackView[];
  readonly witnesses: readonly WitnessView[];
  readonly decisions: readonly DecisionView[];
}

/**
 * A deposit and everything that concerned it. `held` and `rejected`: the amount was above the limit, and nobody has
 * decided yet, or a person decided against it. `unposted`: it was logged without a transaction, in an older database.
 * `none`: callbacks came, but they report no payment.
 */
export type DepositView =
  | ({
      readonly receipt: string;
      readonly outcome: 'credited' | 'suspense';
      readonly reason?: SuspenseReason;
      /** Wallets that may have been meant, while it waits in suspense. */
      readonly suggestions: readonly Suggestion[];
      /** Decimal string of KES. */
      readonly amount: string;
      readonly wallet: string;
      readonly reference: string;
      readonly paidAt: Date | null;
      readonly createdAt: Date;
      readonly verificationHash: string;
    } & History)
  | ({
      readonly receipt: string;
      readonly outcome: 'held' | 'rejected' | 'unposted';
      readonly amount: string;
      readonly paidAt: Date | null;
      readonly createdAt: Date;
    } & History)
  | ({ readonly receipt: string; readonly outcome: 'none' } & History);

export type DepositOutcome = 'credited' | 'suspense' | 'held' | 'rejected' | 'unposted';

/** Finds a deposit by its receipt, or null when nothing with that receipt ever reached us. */
export async function findDeposit(db: Handle, receipt: string): Promise<DepositView | null> {
  if (receipt.includes('\0') || receipt.length > 50) return null;
  const key = receiptKey(receipt).toWellFormed();
  const [deposit] = await query<DepositViewRow>(db, FIND, [key]);
  const callbacks = await callbacksOf(db, key);
  const decisions = await read(
    db.prisma.mpesaDecision.findMany({ where: { receipt: key }, orderBy: { id: 'asc' } }),
  );
  const witnesses = await witnessesOf(db, key);
  const history = { callbacks, witnesses, decisions: decisions.map(decisionOf) };
  if (deposit !== undefined) return viewOf(deposit, history);
  return callbacks.length === 0 ? null : { receipt: key, outcome: 'none', ...history };
}

async function callbacksOf(db: Handle, receipt: string): Promise<CallbackView[]> {
  const select = { kind: true, outcome: true, error: true, receivedAt: true };
  // UUIDs of version 7 put rows of one millisecond in order too.
  const orderBy = [{ receivedAt: 'asc' as const }, { id: 'asc' as const }];
  const rows = await read(db.prisma.mpesaCallback.findMany({ where: { receipt }, select, orderBy }));
  return rows.map((row) => ({ ...row, kind: row.kind as CallbackKind }));
}

async function witnessesOf(db: Handle, receipt: string): Promise<WitnessView[]> {
  const orderBy = [{ createdAt: 'asc' as const }, { kind: 'asc' as const }];
  const rows = await read(db.prisma.mpesaWitness.findMany({ where: { receipt }, orderBy }));
  return rows.map(({ kind, amount, shortCode, account, phone, payerName, walletId, createdAt }) => ({
    kind: kind as CallbackKind,
    amount: amount.toFixed(2),
    shortCode,
    account,
    phone,
    name: payerName,
    otherWallet: walletId,
    at: createdAt,
  }));
}

export function decisionOf(row: MpesaDecision): DecisionView {
  const { reason, decidedBy, reference, createdAt } = row;
  const decision = row.decision as DecisionView['decision'];
  return { decision, reason, decidedBy, reference, decidedAt: createdAt };
}

interface DepositViewRow {
  readonly receipt: string;
  readonly outcome: DepositOutcome;
  readonly reason: string | null;
  readonly suggestions: string | null;
  readonly amount: string;
  readonly wallet: string;
  readonly paid_at_ms: string | null;
  readonly created_at_ms: string;
  readonly verification_hash: string;
}

function viewOf(row: DepositViewRow, history: History): DepositView {
  const { receipt, outcome, amount, wallet } = row;
  const paidAt = row.paid_at_ms === null ? null : new Date(Number(row.paid_at_ms));
  const createdAt = new Date(Number(row.created_at_ms));
  if (outcome !== 'credited' && outcome !== 'suspense') {
    return { receipt, outcome, amount, paidAt, createdAt, ...history };
  }
  return {
    receipt,
    outcome,
    ...(row.reason === null ? {} : { reason: row.reason as SuspenseReason }),
    suggestions: suggestionsOf(row.suggestions),
    amount,
    wallet,
    reference: receipt,
    paidAt,
    createdAt,
    verificationHash: row.verification_hash,
    ...history,
  };
}

/** What a payment is at this moment, of a log row `l` and its transaction `t`. */
export const DEPOSIT_OUTCOME = `
       CASE
           WHEN core.account_of(t.credit_wallet_id) = 'SUSPENSE' THEN 'suspense'
           WHEN t.id IS NOT NULL THEN 'credited'
           WHEN (
               SELECT d.decision FROM services.mpesa_decisions d
                WHERE d.receipt = l.mpesa_receipt AND d.decision IN ('RELEASED', 'REJECTED')
                ORDER BY d.id DESC LIMIT 1
           ) = 'REJECTED' THEN 'rejected'
           WHEN l.outcome = 'HELD' THEN 'held'
           ELSE 'unposted'
       END`;

/** Why a payment is in suspense: one that was held learns it when it is released, and its log row stays as it was. */
export const SUSPENSE_REASON = `
       CASE
           WHEN l.outcome = 'HELD' THEN (
               SELECT c.error FROM services.mpesa_callbacks c
                WHERE c.receipt = l.mpesa_receipt AND c.outcome = 'SUSPENSE' LIMIT 1
           )
           ELSE l.reason
       END`;

const findText = ({ transactions, logs, outcome, reason, assignment }: Words): string => `
SELECT coalesce(t.reference, l.mpesa_receipt) AS receipt, ${outcome} AS outcome,
       CASE WHEN core.account_of(t.credit_wallet_id) = 'SUSPENSE' THEN ${reason} END AS reason,
       CASE
           WHEN core.account_of(t.credit_wallet_id) = 'SUSPENSE' AND ${assignment} IS NULL
               THEN (${SUGGESTIONS})
       END AS suggestions,
       coalesce(t.amount, l.amount)::text AS amount, core.account_of(t.credit_wallet_id) AS wallet,
       (extract(epoch FROM l.paid_at) * 1000)::bigint::text AS paid_at_ms,
       (extract(epoch FROM coalesce(t.created_at, l.created_at)) * 1000)::bigint::text AS created_at_ms,
       coalesce(t.verification_hash, '') AS verification_hash
  FROM (SELECT $1::text AS receipt) AS k
  LEFT JOIN ${transactions} t ON t.reference = k.receipt AND t.type = 'DEPOSIT'
  LEFT JOIN ${logs} l ON l.mpesa_receipt = k.receipt
 WHERE t.id IS NOT NULL OR l.id IS NOT NULL`;

/** What the statement says in another way where the tables lie on several servers. */
interface Words {
  readonly transactions: string;
  readonly logs: string;
  readonly outcome: string;
  readonly reason: string;
  readonly assignment: string;
}

const FIND: Statement = {
  name: 'deposit_find',
  text: findText({
    transactions: 'core.transactions',
    logs: 'services.mpesa_logs',
    outcome: DEPOSIT_OUTCOME,
    reason: SUSPENSE_REASON,
    assignment: '(core.current_assignment(t.reference)).reference',
  }),
  overNodes: findText({
    transactions: 'lanes.transactions_of(ARRAY[k.receipt])',
    logs: 'lanes.logs_of(ARRAY[k.receipt])',
    outcome: 'lanes.deposit_outcome(l, t)',
    reason: 'lanes.suspense_reason(l)',
    assignment: '(SELECT a.reference FROM lanes.assignments_of(ARRAY[k.receipt]) a)',
  }),
};
