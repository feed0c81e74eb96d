import { formatCents } from '../money.ts';
import type { ReconciliationReport } from './reconciliation.ts';

/** The totals that must agree before a period is closed; see PeriodControl for what each compares. */
export const PERIOD_CONTROLS = ['statement', 'callbacks', 'float'] as const;

export type PeriodControlName = (typeof PERIOD_CONTROLS)[number];

/** What explains a difference, or a part of it. */
export interface PeriodItem {
  readonly control: PeriodControlName;
  /** Decimal string of KES with two places and its sign; the items of a control add up to its difference. */
  readonly amount: string;
  /** Why it is so. */
  readonly note: string;
  /** Of the break that it is about; each break that is open must be named by an item. */
  readonly reference?: string;
}

interface Difference {
  readonly control: PeriodControlName;
  /** Null when nobody can say. */
  readonly amount: string | null;
  readonly what: string;
  readonly isDifferent: boolean;
}

/**
 * What the items leave unexplained: controls whose difference is not the sum of their items, and breaks that no item names.
 * A difference that cannot be known is explained by any item of its control.
 */
export function unexplainedOf(
  { controls: { period }, breaks, controls }: ReconciliationReport,
  items: readonly PeriodItem[],
): { readonly where: string; readonly what: string }[] {
  const differences: Difference[] = [
    {
      control: 'statement',
      amount: period.unknown > 0 ? null : period.difference,
      what: `opening + paid in - withdrawn - closing is ${period.difference ?? 'unknown'}, the balance jumps ${String(period.breaks)} times, and ${String(period.unknown)} lines do not say theirs`,
      isDifferent: period.difference !== '0.00' || period.breaks > 0 || period.unknown > 0,
    },
    {
      control: 'callbacks',
      amount: period.callbackDifference,
      what: `${String(controls.callbacks.different)} callbacks named another balance than their lines, together ${period.callbackDifference}`,
      isDifferent: controls.callbacks.different > 0,
    },
    {
      control: 'float',
      amount: period.floatDifference,
      what: `M-PESA holds ${period.closing ?? 'nobody knows what'} and the ledger says ${period.float}`,
      isDifferent: period.floatDifference !== '0.00',
    },
  ];
  const open = differences.filter(({ control, amount, isDifferent }) => {
    const own = items.filter((item) => item.control === control);
    if (!isDifferent && own.length === 0) return false;
    return own.length === 0 || (amount !== null && sumOf(own) !== centsOf(amount));
  });
  const named = new Set(items.map(({ reference }) => reference));
  return [
    ...open.map(({ control, what, amount }) => {
      const itemised = formatCents(sumOf(items.filter((item) => item.control === control)));
      return {
        where: control,
        what: `${what}; itemised ${itemised} of ${amount ?? 'an unknown difference'}`,
      };
    }),
    ...breaks
      .filter(({ reference }) => !named.has(reference))
      .map(({ reference, state, amount }) => ({ where: reference, what: `${state} of ${amount}` })),
  ];
}

function sumOf(items: readonly PeriodItem[]): bigint {
  return items.reduce((sum, { amount }) => sum + centsOf(amount), 0n);
}

/** Cents of a decimal string with two places and perhaps a sign. */
function centsOf(amount: string): bigint {
  return BigInt(amount.replace('.', ''));
}
