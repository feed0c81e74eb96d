import type { PulledRow } from '../daraja/pull-answer.ts';

/** East Africa Time is three hours ahead of UTC. */
const EAT_MS = 10_800_000;

/** Clocks and rounding differ by less. */
const SLACK_MS = 60_000;

export interface ClockEvidence {
  /** When payments of these rows were made, as far as it is known otherwise, by receipt. */
  readonly known: ReadonlyMap<string, { readonly paidAt: Date | null }>;
  /** What was asked for. */
  readonly from: Date;
  readonly to: Date;
}

/**
 * What must be taken off the times of pulled rows to get the moment: nothing, if the `Z` behind them is meant, or three hours if
 * they are East Africa Time. Payments whose time is known decide; without one the period that was asked for does, outside of
 * which no row can be; without either the `Z` is believed.
 */
export function clockOffset(rows: readonly PulledRow[], { known, from, to }: ClockEvidence): number {
  for (const { receipt, writtenMs } of rows) {
    const paidMs = known.get(receipt)?.paidAt?.getTime();
    if (paidMs === undefined) continue;
    if (Math.abs(writtenMs - paidMs) < SLACK_MS) return 0;
    if (Math.abs(writtenMs - EAT_MS - paidMs) < SLACK_MS) return EAT_MS;
  }
  const isAfter = rows.some(({ writtenMs }) => writtenMs > to.getTime() + SLACK_MS);
  const fits = rows.every(({ writtenMs }) => writtenMs - EAT_MS >= from.getTime() - SLACK_MS);
  return isAfter && fits ? EAT_MS : 0;
}
