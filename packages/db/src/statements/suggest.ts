import type { Break } from './reconciliation.ts';

const HOUR_MS = 3_600_000;
/** Nothing farther apart is suggested. */
const FARTHEST_MS = 24 * HOUR_MS;

/** What is open, and the number of its payer: whole, masked, or null. */
export interface PaidBreak {
  readonly found: Break;
  readonly payer: string | null;
}

/**
 * Says beside each line that the ledger lacks which movement without a line has the same amount, and the other way round: one
 * of the same payer before others, and then the nearest in time. A suggestion is for people and decides nothing: the receipts
 * differ.
 */
export function withSuggestions(breaks: readonly PaidBreak[]): Break[] {
  const byAmount = Map.groupBy(breaks, ({ found }) => found.amount);
  return breaks.map(({ found, payer }) => {
    const others = (byAmount.get(found.amount) ?? []).filter(({ found: { side } }) => side !== found.side);
    const [near] = others
      .map((other) => ({
        other: other.found,
        apart: Math.abs(Date.parse(other.found.at) - Date.parse(found.at)),
        isSamePayer: areAlike(payer, other.payer),
      }))
      .filter(({ apart }) => apart <= FARTHEST_MS)
      .toSorted((a, b) => Number(b.isSamePayer) - Number(a.isSamePayer) || a.apart - b.apart);
    if (near === undefined || near.other.reference === found.reference) return found;
    const same = near.isSamePayer ? 'the same amount and payer' : 'the same amount';
    return {
      ...found,
      suggestion: { reference: near.other.reference, because: `${same}, ${apartText(near.apart)} apart` },
    };
  });
}

/** Whether two numbers can be one: what neither of them masks is the same. */
function areAlike(a: string | null, b: string | null): boolean {
  if (a === null || b === null || a.length !== b.length) return false;
  return [...a].every((digit, i) => digit === '*' || b[i] === '*' || digit === b[i]);
}

function apartText(ms: number): string {
  const minutes = Math.round(ms / 60_000);
  return minutes < 120 ? `${String(minutes)} minutes` : `${String(Math.round(ms / HOUR_MS))} hours`;
}
