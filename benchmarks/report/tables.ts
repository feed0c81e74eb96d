import { rounded, table, whole } from '../lib/markdown.ts';
import type { Column, Values } from '../lib/markdown.ts';
import { median } from '../lib/percentiles.ts';
import type { WayName } from '../load/contest.ts';
import type { Part, Round } from '../load/round.ts';
import { SENDINGS } from '../load/sms.ts';
import type { SmsSample } from '../load/sms.ts';
import { aimColumns, figuresOf, rowsOf, verdict, waits } from './figures.ts';
import type { Row } from './figures.ts';

/** The aims of the intake by number of callers, in deposits per second. */
const DEPOSIT_AIMS = new Map([
  [32, 8_000],
  [2_000, 20_000],
]);

/** The aim of transfers that all go to one wallet, in transfers per second. */
const HOT_AIMS = new Map([[2_000, 35_000]]);

/** The aim of the look-up: this share of what the driver alone does. */
const LOOKUP_AIM = 0.5;

/** The aim of every way to send, in messages a second. */
const SMS_AIM = 5_000;

/** The tables by name; undefined those of parts that were not measured. */
export function renderTables(rounds: readonly Round[], parts: readonly Part[]): Values {
  const [deposits, hot] = [rowsOf(rounds, 'deposits'), rowsOf(rounds, 'hot')];
  const tables: Readonly<Record<string, readonly [Part, () => string]>> = {
    'deposits per second': ['deposits', () => rateTable(deposits)],
    'deposits, latency': ['deposits', () => latencyTable(deposits)],
    'deposits, aims': [
      'deposits',
      () => aimTable({ title: 'all lanes', way: 'lanes', aims: DEPOSIT_AIMS }, deposits),
    ],
    'raw SQL': ['deposits', () => ceilingTable(rounds, deposits)],
    'transfers, random pairs': ['transfers', () => transferTable(rowsOf(rounds, 'pairs'))],
    'transfers, one hot wallet': ['transfers', () => transferTable(hot)],
    'transfers, aim': [
      'transfers',
      () => aimTable({ title: 'the intake, one hot wallet', way: 'intake', aims: HOT_AIMS }, hot),
    ],
    'look-ups per second': ['lookups', () => lookupTable(rowsOf(rounds, 'lookups'))],
    'the service': ['service', () => serviceTable(rounds)],
    'SMS per second': ['sms', () => smsTable(rounds)],
    'SMS, aim': ['sms', () => smsAimTable(rounds)],
  };
  const drawn = Object.entries(tables).map(([name, [part, draw]]) => {
    return [name, parts.includes(part) ? draw() : undefined] as const;
  });
  return { ...Object.fromEntries(drawn), 'failed calls': failureTable(rounds) };
}

const CALLERS: Column<Row> = ['callers', ({ callers }) => whole(callers)];

function rate(title: string, way: WayName): Column<Row> {
  return [title, ({ figures }) => rounded(figures(way).perSecond)];
}

function ours(title: string, way: WayName): Column<Row> {
  return [title, ({ figures }) => `**${rounded(figures(way).perSecond)}**`];
}

function latency(title: string, way: WayName): Column<Row> {
  return [title, ({ figures }) => waits(figures(way))];
}

/** How many times the textbook's rate a way has. */
const times = (title: string, way: WayName): readonly Column<Row>[] => [
  [`${title} / textbook`, ({ ratios }) => `${rounded(median(ratios(way, 'textbook')))} ×`],
  ['in single rounds', ({ ratios }) => `${range(ratios(way, 'textbook'), rounded)} ×`],
];

function range(values: readonly number[], show: (value: number) => string): string {
  return `${show(Math.min(...values))} to ${show(Math.max(...values))}`;
}

function rateTable(rows: readonly Row[]): string {
  const ways = [
    rate('textbook', 'textbook'),
    rate('one call', 'call'),
    rate('one lane', 'lane'),
    ours('all lanes', 'lanes'),
  ];
  return table(rows, [
    CALLERS,
    ...ways,
    ...times('all lanes', 'lanes'),
    ['all lanes / one lane', ({ ratios }) => `${rounded(median(ratios('lanes', 'lane')))} ×`],
  ]);
}

function latencyTable(rows: readonly Row[]): string {
  const ways = [
    latency('textbook', 'textbook'),
    latency('one call', 'call'),
    latency('one lane', 'lane'),
    latency('all lanes', 'lanes'),
  ];
  return table(rows, [CALLERS, ...ways]);
}

interface Aims {
  readonly title: string;
  readonly way: WayName;
  /** By number of callers. */
  readonly aims: ReadonlyMap<number, number>;
}

/** A way beside its aims. */
function aimTable({ title, way, aims }: Aims, rows: readonly Row[]): string {
  const aimed = rows.filter(({ callers }) => aims.has(callers));
  return table(aimed, [
    [title, ({ callers }) => `${whole(callers)} callers`],
    ...aimColumns<Row>(
      ({ callers }) => aims.get(callers) ?? 0,
      ({ figures }) => figures(way),
    ),
  ]);
}

/** Raw SQL beside what the package makes of it, so that its own cost can be seen. */
function ceilingTable(rounds: readonly Round[], deposits: readonly Row[]): string {
  const rows = (rounds[0]?.ceilings ?? []).map(({ statements, batch, callers }, place) => {
    const way: WayName = statements === 'textbook' ? 'textbook' : batch === 1 ? 'call' : 'lane';
    const reached = deposits.find((row) => row.callers === callers)?.figures(way).perSecond ?? Number.NaN;
    const rates = rounds.map(({ ceilings }) => ceilings[place]?.perSecond ?? Number.NaN);
    return { statements, batch, callers, reached, perSecond: median(rates) };
  });
  const titles = {
    textbook: 'BEGIN, the textbook’s four, COMMIT',
    record_deposits: 'services.record_deposits',
    floor: 'the floor: the rows alone',
  };
  return table(rows, [
    ['statements of one connection', ({ statements }) => titles[statements]],
    ['deposits at a time', ({ batch }) => whole(batch)],
    ['deposits/s', ({ perSecond }) => rounded(perSecond)],
    [
      'the package with as many callers (one lane)',
      ({ reached, callers }) => `${rounded(reached)} (${whole(callers)})`,
    ],
  ]);
}

function transferTable(rows: readonly Row[]): string {
  const ways = [rate('textbook', 'textbook'), ours('intake', 'intake'), rate('and told', 'told')];
  const waiting = [latency('textbook, ms', 'textbook'), latency('intake, ms', 'intake')];
  return table(rows, [CALLERS, ...ways, ...times('intake', 'intake'), ...waiting]);
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

/** The samples of each way to send, a sample a round. */
function sendingsOf(rounds: readonly Round[]): (readonly SmsSample[])[] {
  const samples = rounds.flatMap(({ sms }) => sms);
  return SENDINGS.map(({ senders, delayMs }) =>
    samples.filter((sample) => sample.senders === senders && sample.delayMs === delayMs),
  );
}

const middle = (samples: readonly SmsSample[], pick: (sample: SmsSample) => number): number =>
  median(samples.map(pick));

const SENDING: readonly Column<readonly SmsSample[]>[] = [
  ['the provider takes', ([sample]) => `${whole(sample?.delayMs ?? Number.NaN)} ms`],
  ['senders', ([sample]) => whole(sample?.senders ?? Number.NaN)],
];

function smsTable(rounds: readonly Round[]): string {
  return table(sendingsOf(rounds), [
    ...SENDING,
    ['slots of each', ([sample]) => whole(sample?.slots ?? Number.NaN)],
    ['claimed/s', (samples) => rounded(middle(samples, ({ claimed }) => claimed))],
    ['accepted/s', (samples) => rounded(middle(samples, ({ accepted }) => accepted))],
    ['recorded/s', (samples) => `**${rounded(figuresOf(samples).perSecond)}**`],
    ['p50 / p99, ms', (samples) => waits(figuresOf(samples))],
  ]);
}

function smsAimTable(rounds: readonly Round[]): string {
  return table(sendingsOf(rounds), [...SENDING, ...aimColumns(() => SMS_AIM, figuresOf)]);
}

/** A sentence when nothing failed, else a table of what did. */
function failureTable(rounds: readonly Round[]): string {
  const calls = rounds.flatMap(({ samples, service }) => [
    ...samples.map(({ subject, way, callers, errors }) => {
      return { who: `${subject}, ${way}, ${whole(callers)} callers`, errors };
    }),
    { who: 'the service', errors: service?.errors ?? {} },
  ]);
  const failed = calls.flatMap(({ who, errors }) =>
    Object.entries(errors).map(([code, count]) => ({ what: `${who}: ${code}`, count })),
  );
  if (failed.length === 0) return 'No call failed, in any round, warm-ups included.';
  const rows = [...Map.groupBy(failed, ({ what }) => what)];
  const drawn = table(rows, [
    ['by whom: error', ([what]) => what],
    ['calls', ([, each]) => whole(each.reduce((sum, { count }) => sum + count, 0))],
  ]);
  return `Calls that failed, in all rounds, warm-ups included:\n\n${drawn}`;
}
