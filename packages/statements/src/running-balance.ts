import type { StatementLine } from './line.ts';

/** How the balances of a file's lines follow from each other. Amounts are cents. */
export interface BalanceCheck {
  /** Before its first line in time; null when no line has a balance. */
  readonly opening: bigint | null;
  /** After its last line in time. */
  readonly closing: bigint | null;
  /** Lines whose balance does not follow from that of their neighbour. */
  readonly breaks: number;
  /** The row of the first of them; null when all follow. */
  readonly firstBreak: number | null;
}

interface Direction {
  breaks: number;
  firstBreak: number | null;
}

type Balanced = StatementLine & { readonly balance: bigint };

/**
 * Follows the running balance. Portals put the newest line first and spreadsheets can turn it round, so both directions
 * are followed, and the one with fewer breaks is the file's. Lines that moved nothing, and those without a balance, say
 * nothing; what the latter moved is carried to the next that has one.
 */
export function createBalanceCheck(): { add(line: StatementLine): void; end(): BalanceCheck } {
  let first: Balanced | null = null;
  let last: Balanced | null = null;
  // What lines without a balance moved since the last one that has one, and what those before the first moved.
  let carried = 0n;
  let leading = 0n;
  const newestFirst: Direction = { breaks: 0, firstBreak: null };
  const oldestFirst: Direction = { breaks: 0, firstBreak: null };

  function compare(line: Balanced): void {
    if (last === null) return;
    if (last.balance - netOf(last) - carried !== line.balance) note(newestFirst, line.row);
    if (line.balance - netOf(line) - carried !== last.balance) note(oldestFirst, line.row);
  }

  return {
    add(line) {
      if (!line.isCompleted) return;
      if (!isBalanced(line)) {
        carried += netOf(line);
        return;
      }
      compare(line);
      if (first === null) leading = carried;
      first ??= line;
      last = line;
      carried = 0n;
    },
    end() {
      if (first === null || last === null)
        return { opening: null, closing: null, breaks: 0, firstBreak: null };
      const isNewestFirst =
        newestFirst.breaks < oldestFirst.breaks ||
        (newestFirst.breaks === oldestFirst.breaks && first.completedAt >= last.completedAt);
      const { breaks, firstBreak } = isNewestFirst ? newestFirst : oldestFirst;
      const [oldest, newest] = isNewestFirst ? [last, first] : [first, last];
      const [before, after] = isNewestFirst ? [carried, leading] : [leading, carried];
      return {
        opening: oldest.balance - netOf(oldest) - before,
        closing: newest.balance + after,
        breaks,
        firstBreak,
      };
    },
  };
}

function note(direction: Direction, row: number): void {
  direction.breaks += 1;
  direction.firstBreak ??= row;
}

function isBalanced(line: StatementLine): line is Balanced {
  return line.balance !== null;
}

function netOf({ paidIn, withdrawn }: StatementLine): bigint {
  return paidIn - withdrawn;
}
