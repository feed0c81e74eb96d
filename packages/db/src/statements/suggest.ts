import type { Break } from './reconciliation.ts';

const HOUR_MS = 3_600_000;
/** Nothing farther apart is suggested. */
const FARTHEST_MS = 24 * HOUR_MS;

/**
 * Says beside each line that the ledger lacks which movement without a line has the same amount and is nearest in time,
 * and the other way round. A suggestion is for people and decides nothing: the receipts differ.
 */
export function withSuggestions(breaks: readonly Break[]): Break[] {
  const byAmount = Map.groupBy(breaks, ({ amount }) => amount);
  return breaks.map((each) => {
    const others = (byAmount.get(each.amount) ?? []).filter(({ side }) => side !== each.side);
    const near = others
      .map((other) => ({ other, apart: Math.abs(Date.parse(other.at) - Date.parse(each.at)) }))
      .filter(({ apart }) => apart <= FARTHEST_MS)
      .toSorted((a, b) => a.apart - b.apart)[0];
    if (near === undefined || near.other.reference === each.reference) return each;
    const because = `the same amount, ${apartText(near.apart)} apart`;
    return { ...each, suggestion: { reference: near.other.reference, because } };
  });
}

function apartText(ms: number): string {
  const minutes = Math.round(ms / 60_000);
  return minutes < 120 ? `${String(minutes)} minutes` : `${String(Math.round(ms / HOUR_MS))} hours`;
}
