/** What became of a line or a movement. */
export const RECONCILIATION_STATES = [
  'matched',
  'missing_here',
  'missing_there',
  'amount_differs',
  'reversed',
  'charge',
  'sweep',
  'not_completed',
  'unexplained',
] as const;

export type ReconciliationState = (typeof RECONCILIATION_STATES)[number];

/** Lines or movements in one state; a line and the movement that it explains are one. Amounts are decimal strings of KES. */
export interface StateTotal {
  readonly lines: number;
  /** The sum of their amounts, each without a sign. */
  readonly amount: string;
}

/** A line or a movement that somebody must act on. It names no person. */
export interface Break {
  readonly state: ReconciliationState;
  /** Which of the two shows it: M-PESA's statement or our ledger. */
  readonly side: 'statement' | 'ledger';
  /** The M-PESA receipt, or the reference of a movement that has none. */
  readonly reference: string;
  /** Of the line: payment, charge, sweep, reversal, payout or other; of a movement: movement. */
  readonly kind: string;
  readonly amount: string;
  /** What the ledger has for this receipt; null when it has nothing. */
  readonly ledgerAmount: string | null;
  /** ISO 8601, UTC. */
  readonly at: string;
  /** Why, where the state alone does not say; docs/reconciling.md lists them. */
  readonly reason: string | null;
  /** Where a person could look: never a match by itself. */
  readonly suggestion: { readonly reference: string; readonly because: string } | null;
}

/** A statement that was compared, and whether it agrees with itself. */
export interface StatementControl {
  readonly sha256: string;
  readonly form: string;
  readonly account: string | null;
  readonly from: string | null;
  readonly to: string | null;
  /** As the file states them, or else as the balances of its rows say; null when neither does. */
  readonly opening: string | null;
  readonly paidIn: string;
  readonly withdrawn: string;
  readonly closing: string | null;
  /** opening + paidIn - withdrawn - closing: zero when the file agrees with itself; null when it cannot be known. */
  readonly difference: string | null;
  /** What the file states as its sums; null when it does not. */
  readonly statedPaidIn: string | null;
  readonly statedWithdrawn: string | null;
  /** Rows whose balance does not follow from that of the row beside them, and the first of these. */
  readonly balanceBreaks: number;
  readonly firstBreak: number | null;
}

/** What M-PESA's statements, its callbacks and our float say about one short code's period. */
interface PeriodControl {
  /** By the balances of the lines; null when none says. */
  readonly opening: string | null;
  readonly paidIn: string;
  readonly withdrawn: string;
  readonly closing: string | null;
  /** opening + paidIn - withdrawn - closing. */
  readonly difference: string | null;
  /** How often the balance jumps from line to line, and lines that do not say theirs. */
  readonly breaks: number;
  readonly unknown: number;
  /** The sum of the differences between the balances of lines and of their callbacks. */
  readonly callbackDifference: string;
  /** What M-PESA should hold for the short code at the end, by our ledger; and closing - float. */
  readonly float: string;
  readonly floatDifference: string | null;
}

export interface Controls {
  readonly statements: readonly StatementControl[];
  /** What the lines of the period moved in the account that customers pay into. */
  readonly statement: { readonly paidIn: string; readonly withdrawn: string; readonly net: string };
  /** What the movements of the period, and those that its lines explain, moved in the ledger. */
  readonly ledger: { readonly net: string };
  /** statement.net - ledger.net, and what each state contributes to it: the sum of them is the difference. */
  readonly difference: string;
  readonly itemised: Readonly<Partial<Record<ReconciliationState, string>>>;
  /** The three totals that must agree before the period can be closed. */
  readonly period: PeriodControl;
  /** Movements that came too late for a closed period: they were posted in this one, and `period` is the other's id. */
  readonly late: readonly { readonly reference: string; readonly amount: string; readonly period: string }[];
  /** What M-PESA should hold by the float of our ledger, over all short codes, at the end of the period. */
  readonly float: { readonly at: string; readonly balance: string };
  /** `OrgAccountBalance` of callbacks against the balance of their lines. */
  readonly callbacks: { readonly compared: number; readonly different: number };
  /** Parts of the period that no statement covers. */
  readonly uncovered: readonly { readonly from: string; readonly to: string }[];
}

/** What statements and ledger of a period come to. The same files and ledger make the same report, byte for byte. */
export interface ReconciliationReport {
  /** From all that follows. */
  readonly id: string;
  readonly shortCode: string;
  /** The first moment of the period, and the first moment after it: ISO 8601, UTC. */
  readonly from: string;
  readonly to: string;
  readonly totals: Readonly<Record<ReconciliationState, StateTotal>>;
  readonly controls: Controls;
  /** What is open, oldest first. */
  readonly breaks: readonly Break[];
  /** SHA-256 of the files that cover a part of the period, sorted. */
  readonly inputs: readonly string[];
}
