import { chart, rounded, table, whole } from '../lib/markdown.ts';
import type { Column, Values } from '../lib/markdown.ts';
import { median } from '../lib/percentiles.ts';
import type { WayName } from '../load/contest.ts';
import type { Part } from '../load/options.ts';
import type { Round } from '../load/round.ts';
import { aimColumns, figuresOf, rowsOf, verdict, waits } from './figures.ts';
import type { Row } from './figures.ts';
import { coresTable, smsAimTable, smsTable } from './sms-tables.ts';

/** The aims of the intake by number of callers, in deposits per second. */
const DEPOSIT_AIMS = new Map([
  [32, 8_000],
  [2_000, 20_000],
]);

/** The aim of transfers that all go to one wallet, in transfers per second. */
const HOT_AIM = { callers: 2_000, perSecond: 35_000 };

/** The aim of the look-up: this share of what the driver alone does. */
const LOOKUP_AIM = 0.5;

/** The tables by name; undefined those of parts that were not measured. */
export function renderTables(rounds: readonly Round[], parts: readonly Part[]): Values {
  const deposits = rowsOf(rounds, 'deposits');
  const groups: Readonly<Record<Part, Readonly<Record<string, () => string>>>> = {
    deposits: {
      'deposits per second': () => rateTable(deposits),
      'deposits, latency': () => latencyTable(deposits),
      'deposits, aims': () => aimTable(deposits),
      'raw SQL': () => ceilingTable(rounds, deposits),
    },
    transfers: {
      'transfers, random pairs': () => transferTable(rowsOf(rounds, 'pairs')),
      'transfers, one hot wallet': () => transferTable(rowsOf(rounds, 'hot')),
      'transfers, aim': () => hotAimTable(rowsOf(rounds, 'hot')),
    },
    lookups: { 'look-ups per second': () => lookupTable(rowsOf(rounds, 'lookups')) },
    service: { 'the service': () => serviceTable(rounds) },
    sms: {
      'SMS per second': () => smsTable(rounds),
      'SMS, aim': () => smsAimTable(rounds),
      'SMS, processor': () => coresTable(rounds),
    },
  };
  const tables = Object.entries(groups).flatMap(([part, group]) => {
    const isMeasured = parts.some((each) => each === part);
    return Object.entries(group).map(([name, draw]) => [name, isMeasured ? draw() : undefined] as const);
  });
  return { ...Object.fromEntries(tables), 'failed calls': failureTable(rounds) };
}

/** Deposits per second and p99 as two charts. */
export function drawDeposits(rounds: readonly Round[]): string {
  const rows = rowsOf(rounds, 'deposits');
  const columns = rows.map(({ callers }) => whole(callers));
  const rate = (way: WayName) => rows.map(({ figures }) => figures(way).perSecond);
  const p99 = (way: WayName) => rows.map(({ figures }) => figures(way).p99);
  return [
    chart('Deposits per second by callers: intake, one call, textbook (top down)', columns, [
      ['intake', rate('intake')],
      ['one call', rate('call')],
      ['textbook', rate('textbook')],
    ]),
    chart('p99 in milliseconds by callers: textbook, one call, intake (top down)', columns, [
      ['textbook', p99('textbook')],
      ['one call', p99('call')],
      ['intake', p99('intake')],
    ]),
  ].join('\n\n');
}

const CALLERS: Column<Row> = ['callers', ({ callers }) => whole(callers)];

const rate = (title: string, way: WayName): Column<Row> => [
  title,
  ({ figures }) => rounded(figures(way).perSecond),
];

const ours = (title: string, way: WayName): Column<Row> => [
  title,
  ({ figures }) => `**${rounded(figures(way).perSecond)}**`,
];

const latency = (title: string, way: WayName): Column<Row> => [title, ({ figures }) => waits(figures(way))];

const times = (): Column<Row>[] => [
  ['intake / textbook', ({ ratios }) => `${rounded(median(ratios('intake', 'textbook')))} ×`],
  ['in single rounds', ({ ratios }) => `${range(ratios('intake', 'textbook'), rounded)} ×`],
];

function range(values: readonly number[], show: (value: number) => string): string {
  return `${show(Math.min(...values))} to ${show(Math.max(...values))}`;
}

function rateTable(rows: readonly Row[]): string {
  const ways = [rate('textbook', 'textbook'), rate('one call', 'call'), ours('intake', 'intake')];
  return table(rows, [CALLERS, ...ways, ...times()]);
}

function latencyTable(rows: readonly Row[]): string {
  const ways = [latency('textbook', 'textbook'), latency('one call', 'call'), latency('intake', 'intake')];
  return table(rows, [CALLERS, ...ways]);
}

function aimTable(rows: readonly Row[]): string {
  return table(
    rows.filter(({ callers }) => DEPOSIT_AIMS.has(callers)),
    [
      ['the intake', ({ callers }) => `${whole(callers)} callers`],
      ...aimColumns<Row>(
        ({ callers }) => DEPOSIT_AIMS.get(callers) ?? 0,
        ({ figures }) => figures('intake'),
      ),
    ],
  );
}

/** Raw SQL beside what the package makes of it, so that its own cost can be seen. */
function ceilingTable(rounds: readonly Round[], deposits: readonly Row[]): string {
  const rows = (rounds[0]?.ceilings ?? []).map(({ statements, batch }, place) => {
    const way: WayName = statements === 'textbook' ? 'textbook' : batch === 1 ? 'call' : 'intake';
    // The largest batch is what the most callers fill.
    const callers = batch === 1_000 ? 2_000 : batch;
    const reached = deposits.find((row) => row.callers === callers)?.figures(way).perSecond ?? Number.NaN;
    const rates = rounds.map(({ ceilings }) => ceilings[place]?.perSecond ?? Number.NaN);
    return { statements, batch, callers, reached, perSecond: median(rates) };
  });
  return table(rows, [
    [
      'statements of one connection',
      ({ statements }) =>
        statements === 'textbook' ? 'BEGIN, the textbook’s four, COMMIT' : 'services.record_deposits',
    ],
    ['deposits at a time', ({ batch }) => whole(batch)],
    ['deposits/s', ({ perSecond }) => rounded(perSecond)],
    ['the package with as many callers', ({ reached, callers }) => `${rounded(reached)} (${whole(callers)})`],
  ]);
}

function transferTable(rows: readonly Row[]): string {
  const ways = [rate('textbook', 'textbook'), ours('intake', 'intake'), rate('and told', 'told')];
  const waiting = [latency('textbook, ms', 'textbook'), latency('intake, ms', 'intake')];
  return table(rows, [CALLERS, ...ways, ...times(), ...waiting]);
}

function hotAimTable(rows: readonly Row[]): string {
  return table(
    rows.filter(({ callers }) => callers === HOT_AIM.callers),
    [
      ['the intake, one hot wallet', ({ callers }) => `${whole(callers)} callers`],
      ...aimColumns<Row>(HOT_AIM.perSecond, ({ figures }) => figures('intake')),
    ],
  );
}

function lookupTable(rows: readonly Row[]): string {
  const share = (ratio: number) => `${whole(100 * ratio)} %`;
  const ratios = (row: Row) => row.ratios('package', 'raw');
  return table(rows, [
    CALLERS,
    rate('raw', 'raw'),
    ours('lookupWallet', 'package'),
    ['of raw', (row) => share(median(ratios(row)))],
    ['in single rounds', (row) => range(ratios(row), share)],
    latency('raw, ms', 'raw'),
    latency('lookupWallet, ms', 'package'),
    [`aim: ${share(LOOKUP_AIM)}`, (row) => verdict(median(ratios(row)), LOOKUP_AIM)],
  ]);
}

function serviceTable(rounds: readonly Round[]): string {
  const samples = rounds.flatMap(({ service }) => service ?? []);
  const figures = figuresOf(samples);
  // The most that it ever took is what a machine must have.
  const peak = Math.max(...samples.map(({ peakMiB }) => peakMiB));
  const rows = [
    ['requests per second', rounded(figures.perSecond)],
    ['p50 / p99, ms', waits(figures)],
    ['memory when ready, MiB', whole(median(samples.map(({ readyMiB }) => readyMiB)))],
    ['memory at its peak (worst round), MiB', whole(peak)],
    ['memory after a rest, MiB', whole(median(samples.map(({ idleMiB }) => idleMiB)))],
  ];
  return table(rows, [
    ['the M-PESA service, 2,000 HTTP callers', ([name = '']) => name],
    ['', ([, value = '']) => value],
  ]);
}

/** A sentence when nothing failed, else a table of what did. */
function failureTable(rounds: readonly Round[]): string {
  const failed = new Map<string, number>();
  const add = (who: string, errors: Readonly<Record<string, number>>) => {
    for (const [code, count] of Object.entries(errors)) {
      failed.set(`${who}: ${code}`, (failed.get(`${who}: ${code}`) ?? 0) + count);
    }
  };
  for (const { samples, service } of rounds) {
    for (const { subject, way, callers, errors } of samples) {
      add(`${subject}, ${way}, ${whole(callers)} callers`, errors);
    }
    add('the service', service?.errors ?? {});
  }
  if (failed.size === 0) return 'No call failed, in any round, warm-ups included.';
  const rows = [...failed];
  const drawn = table(rows, [
    ['by whom: error', ([who]) => who],
    ['calls', ([, count]) => whole(count)],
  ]);
  return `Calls that failed, in all rounds, warm-ups included:\n\n${drawn}`;
}
