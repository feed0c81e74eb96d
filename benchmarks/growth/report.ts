import { rounded, table, whole } from '../lib/markdown.ts';
import type { Column } from '../lib/markdown.ts';
import { median } from '../lib/percentiles.ts';
import { drawPanels } from '../lib/picture.ts';
import type { Lanes, Rate } from './rates.ts';
import type { Audited, Read } from './reads.ts';

/** What was measured of a database with so many deposits. */
export interface Grown {
  /** How many were there before anything was measured. */
  readonly deposits: number;
  /** Seconds that loading them took. */
  readonly loading: number;
  /** As loaded, largest first. */
  readonly sizes: readonly { readonly name: string; readonly bytes: number }[];
  /** The rounds in their order. */
  readonly rates: readonly Rate[];
  readonly reads: readonly Read[];
  readonly audit: Audited;
}

const LANES: readonly (readonly [Lanes, string])[] = [
  ['one', 'one lane'],
  ['all', 'all lanes'],
];

/** What the template of `growth.md` asks for. */
export function growthValues(grown: readonly Grown[]) {
  return {
    headline: headline(grown),
    rates: rateTable(grown),
    reads: readTable(grown),
    sizes: sizeTable(grown),
  };
}

const ratesOf = ({ rates }: Grown, lanes: Lanes, pick: (rate: Rate) => number): number[] =>
  rates.filter((rate) => rate.lanes === lanes).map(pick);

const rateOf = (each: Grown, lanes: Lanes): number =>
  median(ratesOf(each, lanes, ({ perSecond }) => perSecond));

const workOf = (each: Grown, lanes: Lanes): number =>
  median(ratesOf(each, lanes, ({ processor }) => processor));

/** How the rate beside so many deposits compares with that of the smallest, round by round: other work hits both alike. */
function keptOf(each: Grown, first: Grown, lanes: Lanes): number {
  const before = ratesOf(first, lanes, ({ perSecond }) => perSecond);
  const now = ratesOf(each, lanes, ({ perSecond }) => perSecond);
  return median(now.map((rate, round) => rate / (before[round] ?? Number.NaN)));
}

function headline(grown: readonly Grown[]): string {
  const [first, last] = [grown[0], grown.at(-1)];
  if (first === undefined || last === undefined) return '';
  return `With **${whole(last.deposits)} deposits** in the tables all lanes record ${rounded(rateOf(last, 'all'))} a second, which is **${rounded(keptOf(last, first, 'all'))}** of
their rate with ${whole(first.deposits)}; one lane ${rounded(rateOf(last, 'one'))} (${rounded(keptOf(last, first, 'one'))}). PostgreSQL spends ${rounded(workOf(last, 'one'))} µs of processor time on a deposit of one
lane, and ${rounded(workOf(first, 'one'))} in the small one.`;
}

function rateTable(grown: readonly Grown[]): string {
  const [first] = grown;
  const lines = grown.flatMap((each) => LANES.map(([lanes, title]) => ({ each, lanes, title })));
  return table(lines, [
    ['deposits before', ({ each }) => whole(each.deposits)],
    ['lanes', ({ title }) => title],
    ['deposits/s', ({ each, lanes }) => rounded(rateOf(each, lanes))],
    [
      'in single rounds',
      ({ each, lanes }) =>
        ratesOf(each, lanes, ({ perSecond }) => perSecond)
          .map(rounded)
          .join(', '),
    ],
    ['of the smallest', ({ each, lanes }) => (first ? rounded(keptOf(each, first, lanes)) : '-')],
    ['p99, ms', ({ each, lanes }) => rounded(median(ratesOf(each, lanes, ({ p99 }) => p99)))],
    ['PostgreSQL, µs a deposit', ({ each, lanes }) => rounded(workOf(each, lanes))],
  ]);
}

function readTable(grown: readonly Grown[]): string {
  const names = grown[0]?.reads.map(({ what }) => what) ?? [];
  const reads = names.map((what) => ({
    what,
    cell: (each: Grown) => {
      const read = each.reads.find((one) => one.what === what);
      return read === undefined ? '-' : `${rounded(read.p50)} / ${rounded(read.p99)}`;
    },
  }));
  const audit = { what: 'db:audit, seconds', cell: (each: Grown) => rounded(each.audit.seconds) };
  return table(
    [...reads, audit],
    [['p50 / p99, ms', ({ what }) => what], ...columnsOf<(typeof reads)[number]>(grown, ({ cell }) => cell)],
  );
}

function sizeTable(grown: readonly Grown[]): string {
  const largest = grown.at(-1);
  const rows = (largest?.sizes ?? []).map(({ name }) => ({
    name,
    cell: (each: Grown) => {
      const size = each.sizes.find((one) => one.name === name);
      return size === undefined ? '-' : rounded(size.bytes / each.deposits);
    },
  }));
  const all = {
    name: '**all**',
    cell: (each: Grown) => whole(each.sizes.reduce((sum, { bytes }) => sum + bytes, 0) / each.deposits),
  };
  return table(
    [...rows, all],
    [['bytes a deposit', ({ name }) => name], ...columnsOf<(typeof rows)[number]>(grown, ({ cell }) => cell)],
  );
}

/** A column for each database. */
function columnsOf<Row>(grown: readonly Grown[], pick: (row: Row) => (each: Grown) => string): Column<Row>[] {
  return grown.map((each) => [whole(each.deposits), (row) => pick(row)(each)]);
}

/** Deposits per second, and processor time of a deposit, over how many are there, as an SVG. */
export function drawGrowth(grown: readonly Grown[]): string {
  const logs = grown.map(({ deposits }) => Math.log10(deposits));
  const [least, most] = [Math.min(...logs), Math.max(...logs)];
  // A little away from both edges, on a scale of powers of ten.
  const across = ({ deposits }: Grown) =>
    0.08 + (0.84 * (Math.log10(deposits) - least)) / Math.max(most - least, 1);
  const line = (lanes: Lanes, of: (each: Grown) => number) => ({
    name: lanes === 'one' ? 'one lane' : 'all lanes',
    colour: lanes === 'one' ? '#06c' : '#393',
    points: grown.map((each) => [across(each), of(each)] as const),
  });
  const panel = (title: string, of: (each: Grown, lanes: Lanes) => number) => ({
    title,
    lines: LANES.map(([lanes]) => line(lanes, (each) => of(each, lanes))),
  });
  return drawPanels(
    [
      panel('deposits per second', rateOf),
      panel('microseconds of PostgreSQL’s processor time for a deposit', workOf),
    ],
    { ticks: grown.map((each) => [across(each), `${whole(each.deposits)} deposits`]) },
  );
}
