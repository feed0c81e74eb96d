import { centsOf } from './amounts.ts';
import { plainName } from './columns.ts';
import type { Cell } from '@repo/xlsx/table-row';
import { timeOf } from './times.ts';

/** What a file says of itself above its lines. Amounts are cents; times are milliseconds since 1970. Null: not said. */
export interface Preamble {
  readonly shortCode: string | null;
  /** Such as `Utility Account`. */
  readonly account: string | null;
  readonly from: number | null;
  /** The last moment that it covers. */
  readonly to: number | null;
  readonly opening: bigint | null;
  readonly closing: bigint | null;
  readonly paidIn: bigint | null;
  readonly withdrawn: bigint | null;
}

export const NO_PREAMBLE: Preamble = {
  shortCode: null,
  account: null,
  from: null,
  to: null,
  opening: null,
  closing: null,
  paidIn: null,
  withdrawn: null,
};

const SHORT_CODE_NAMES = ['shortcode', 'tillnumber', 'tillno', 'paybillnumber', 'paybillno', 'storenumber'];

/** The title of the newer portal's statements. */
const TITLE = /statements? for\s+(\d{3,10})\s+from\s+(.+?)\s+to\s+(.+)$/i;

/** Adds what a row above the header, or below the lines, says. What was said first counts. */
export function readPreamble(known: Preamble, cells: readonly Cell[]): Preamble {
  const facts: Partial<Record<keyof Preamble, string | number | bigint | null>> = {};
  for (const [name, value] of pairsOf(cells)) {
    if (SHORT_CODE_NAMES.includes(name)) facts.shortCode = shortCodeOf(value);
    else if (name === 'account') facts.account = String(value).slice(0, 100);
    else if (name === 'from') facts.from = momentOf(value);
    else if (name === 'to') facts.to = momentOf(value);
    else if (name === 'openingbalance') facts.opening = centsOf(value);
    else if (name === 'closingbalance') facts.closing = centsOf(value);
    else if (name === 'totalpaidin') facts.paidIn = centsOf(value);
    else if (name === 'totalwithdrawn') facts.withdrawn = magnitude(centsOf(value));
  }
  const [, shortCode, from, to] = TITLE.exec(String(cells[0] ?? '').trim()) ?? [];
  if (shortCode !== undefined) {
    facts.shortCode = shortCode;
    facts.from = momentOf(from ?? '');
    facts.to = momentOf(to ?? '');
  }
  return { ...known, ...Object.fromEntries(Object.entries(facts).filter(([key]) => isUnknown(known, key))) };
}

function isUnknown(known: Preamble, key: string): boolean {
  return known[key as keyof Preamble] === null;
}

/** Each name with the cell behind it, or with what follows its colon in the same cell. */
function* pairsOf(cells: readonly Cell[]): Generator<readonly [name: string, value: Cell]> {
  for (const [place, cell] of cells.entries()) {
    const [, label, inside] = /^([^:]+):\s*(.+)$/s.exec(String(cell).trim()) ?? [];
    if (label !== undefined && inside !== undefined) {
      yield [plainName(label), inside];
      continue;
    }
    const value = cells[place + 1];
    if (value !== undefined && value !== '') yield [plainName(cell), value];
  }
}

function shortCodeOf(value: Cell): string | null {
  const text = String(value).trim();
  return /^\d{3,10}$/.test(text) ? text : null;
}

function momentOf(value: Cell): number | null {
  const time = timeOf(value);
  return typeof time === 'number' ? time : null;
}

function magnitude(cents: bigint | null): bigint | null {
  return cents !== null && cents < 0n ? -cents : cents;
}
