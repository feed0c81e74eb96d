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

/** What the head of the file says of the account; null where it does not. */
interface StatedBalances {
  readonly opening: bigint | null;
  readonly closing: bigint | null;
}

interface Direction {
  breaks: number;
  firstBreak: number | null;
}

type Balanced = StatementLine & { readonly balance: bigint };

/** The line with a balance at one end of the file, and what the lines without one beyond it moved. */
interface End {
  readonly line: Balanced;
  readonly beyond: bigint;
}

/**
 * Follows the running balance. Portals put the newest line first and spreadsheets can turn it round, so both directions
 * are followed, and the one with fewer breaks is the file's. A payment and a charge of the same amount follow from each
 * other both ways: then the times decide, then what the head states, then that a charge comes after what it is for.
 * Lines that moved nothing, and those without a balance, say nothing; what the latter moved is carried to the next that
 * has one.
 */
export function createBalanceCheck(): {
  add(line: StatementLine): void;
  end(stated: StatedBalances): BalanceCheck;
} {
  let first: Balanced | null = null;
  let last: Balanced | null = null;
  // What lines without a balance moved since the last one that has one, and what those before the first moved.
  let carried = 0n;
  let leading = 0n;
  const newestFirst: Direction = { breaks: 0, firstBreak: null };
  const oldestFirst: Direction = { breaks: 0, firstBreak: null };
  // Charges that stand above what they are for, less those that stand below.
  let chargesAbove = 0;

  function compare(line: Balanced): void {
    if (last === null) return;
    if (last.balance - netOf(last) - carried !== line.balance) note(newestFirst, line.row);
    if (line.balance - netOf(line) - carried !== last.balance) note(oldestFirst, line.row);
    if (line.receipt === last.receipt) chargesAbove += Number(isCharge(last)) - Number(isCharge(line));
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
    end(stated) {
      if (first === null || last === null)
        return { opening: null, closing: null, breaks: 0, firstBreak: null };
      const top: End = { line: first, beyond: leading };
      const bottom: End = { line: last, beyond: carried };
      const upwards = balancesOf(bottom, top);
      const downwards = balancesOf(top, bottom);
      // The first of these that is not zero decides; above zero the newest line stands first.
      const isNewestFirst =
        (oldestFirst.breaks - newestFirst.breaks ||
          first.completedAt - last.completedAt ||
          agreement(upwards, stated) - agreement(downwards, stated) ||
          chargesAbove) >= 0;
      return isNewestFirst ? { ...upwards, ...newestFirst } : { ...downwards, ...oldestFirst };
    },
  };
}

function balancesOf(oldest: End, newest: End): { opening: bigint; closing: bigint } {
  return {
    opening: oldest.line.balance - netOf(oldest.line) - oldest.beyond,
    closing: newest.line.balance + newest.beyond,
  };
}

/** How many of the two balances are those that are stated. */
function agreement({ opening, closing }: StatedBalances, stated: StatedBalances): number {
  return Number(opening === stated.opening) + Number(closing === stated.closing);
}

function note(direction: Direction, row: number): void {
  direction.breaks += 1;
  direction.firstBreak ??= row;
}

function isBalanced(line: StatementLine): line is Balanced {
  return line.balance !== null;
}

function isCharge({ kind }: StatementLine): boolean {
  return kind === 'charge';
}

function netOf({ paidIn, withdrawn }: StatementLine): bigint {
  return paidIn - withdrawn;
}
