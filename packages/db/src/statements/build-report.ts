import { createHash } from 'node:crypto';
import { formatCents } from '../money.ts';
import { isWithin, uncoveredOf } from './coverage.ts';
import type { Span } from './coverage.ts';
import { RECONCILIATION_STATES } from './reconciliation.ts';
import type {
  Break,
  Controls,
  ReconciliationReport,
  ReconciliationState,
  StateTotal,
  StatementControl,
} from './reconciliation.ts';
import type { BalanceRow, InputRow, ItemRow, LateRow } from './reconciliation-reads.ts';
import { withSuggestions } from './suggest.ts';
import type { PaidBreak } from './suggest.ts';

/** A callback that comes later than this is missing. */
const GRACE_MS = 15 * 60_000;

interface Facts {
  readonly shortCode: string;
  readonly from: Date;
  readonly to: Date;
  readonly items: readonly ItemRow[];
  readonly inputs: readonly InputRow[];
  readonly balances: BalanceRow;
  readonly late: readonly LateRow[];
}

/** The report, and its text as it is kept and answered. The id comes from everything else in it. */
export function buildReport(facts: Facts): { readonly report: ReconciliationReport; readonly text: string } {
  const { shortCode, from, to, items, inputs, balances, late } = facts;
  const states = items.filter(({ side }) => side === null);
  const covered = inputs.flatMap(spanOf);
  const uncovered = uncoveredOf({ from: from.getTime(), to: to.getTime() }, covered);
  const content: Omit<ReconciliationReport, 'id'> = {
    shortCode,
    from: from.toISOString(),
    to: to.toISOString(),
    totals: totalsOf(states),
    controls: {
      ...controlsOf(states, inputs),
      ...accountsOf(balances, to),
      late: late.map(({ reference, amount, period }) => ({ reference, amount, period })),
      uncovered: uncovered.map(spanText),
    },
    breaks: withSuggestions(items.flatMap((item) => breakOf(item, { covered, uncovered }))),
    inputs: [...new Set(inputs.map(({ sha256 }) => sha256))],
  };
  const report = { id: idOf(JSON.stringify(content)), ...content };
  return { report, text: JSON.stringify(report) };
}

/** A UUID of the bytes of a SHA-256, version 8: they come from the content. */
function idOf(text: string): string {
  const hex = createHash('sha256').update(text).digest('hex');
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `a${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ].join('-');
}

function totalsOf(states: readonly ItemRow[]): Record<ReconciliationState, StateTotal> {
  const total = (state: ReconciliationState): StateTotal => {
    const row = states.find((each) => each.state === state);
    return { lines: row?.lines ?? 0, amount: row?.amount ?? '0.00' };
  };
  return Object.fromEntries(RECONCILIATION_STATES.map((state) => [state, total(state)])) as Record<
    ReconciliationState,
    StateTotal
  >;
}

function controlsOf(
  states: readonly ItemRow[],
  inputs: readonly InputRow[],
): Pick<Controls, 'statements' | 'statement' | 'ledger' | 'difference' | 'itemised'> {
  const paidIn = sumOf(states.map((row) => row.paid_in));
  const withdrawn = sumOf(states.map((row) => row.withdrawn));
  const ledger = sumOf(states.map((row) => row.ledger_net));
  const itemised = RECONCILIATION_STATES.flatMap((state) => {
    const difference = states.find((row) => row.state === state)?.difference ?? '0.00';
    return difference === '0.00' ? [] : [[state, difference] as const];
  });
  return {
    statements: inputs.map(statementControl),
    statement: {
      paidIn: formatCents(paidIn),
      withdrawn: formatCents(withdrawn),
      net: formatCents(paidIn - withdrawn),
    },
    ledger: { net: formatCents(ledger) },
    difference: formatCents(paidIn - withdrawn - ledger),
    itemised: Object.fromEntries(itemised),
  };
}

function accountsOf(balances: BalanceRow, to: Date): Pick<Controls, 'period' | 'float' | 'callbacks'> {
  const { float, compared, different } = balances;
  return {
    period: {
      opening: balances.opening,
      paidIn: balances.paid_in,
      withdrawn: balances.withdrawn,
      closing: balances.closing,
      difference: balances.difference,
      breaks: balances.breaks,
      unknown: balances.unknown,
      callbackDifference: balances.callback_difference,
      float: balances.own_float,
      floatDifference: balances.float_difference,
    },
    float: { at: to.toISOString(), balance: float },
    callbacks: { compared, different },
  };
}

function statementControl(row: InputRow): StatementControl {
  return {
    sha256: row.sha256,
    form: row.form,
    account: row.account,
    from: timeText(row.from_ms),
    to: timeText(row.to_ms),
    opening: row.opening,
    paidIn: row.paid_in,
    withdrawn: row.withdrawn,
    closing: row.closing,
    difference: row.difference,
    statedPaidIn: row.stated_paid_in,
    statedWithdrawn: row.stated_withdrawn,
    balanceBreaks: row.balance_breaks,
    firstBreak: row.first_break,
  };
}

interface Coverage {
  readonly covered: readonly Span[];
  readonly uncovered: readonly Span[];
}

function breakOf(row: ItemRow, coverage: Coverage): PaidBreak[] {
  const { state, side, reference, kind, amount, ledger_amount: ledgerAmount, at_ms: at } = row;
  if (side === null || at === null) return [];
  const found: Break = {
    state,
    side,
    reference: reference ?? '',
    kind: kind ?? '',
    amount,
    ledgerAmount,
    at: new Date(Number(at)).toISOString(),
    reason: row.reason ?? reasonOf(state, Number(at), coverage),
    suggestion: null,
  };
  return [{ found, payer: row.payer }];
}

/** What the files, and not the rows, can say: no file shows that time, or the callback may still be on its way. */
function reasonOf(state: ReconciliationState, at: number, { covered, uncovered }: Coverage): string | null {
  if (state === 'missing_there' && isWithin(uncovered, at)) return 'no_statement_of_this_time';
  const end = Math.max(...covered.map(({ to }) => to));
  return state === 'missing_here' && at > end - GRACE_MS ? 'callback_may_be_late' : null;
}

/** A statement covers its last second to the end. */
function spanOf({ from_ms: from, to_ms: to }: InputRow): Span[] {
  return from === null || to === null ? [] : [{ from: Number(from), to: Number(to) + 1_000 }];
}

function spanText({ from, to }: Span) {
  return { from: new Date(from).toISOString(), to: new Date(to).toISOString() };
}

function timeText(ms: string | null): string | null {
  return ms === null ? null : new Date(Number(ms)).toISOString();
}

/** Sums decimal strings with two places, with their signs, in cents. */
function sumOf(amounts: readonly string[]): bigint {
  return amounts.reduce((sum, amount) => sum + BigInt(amount.replace('.', '')), 0n);
}
