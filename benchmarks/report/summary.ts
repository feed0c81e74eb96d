import { callerCounts } from '../load/callers.ts';
import { medians, ratioOf, summarizeWay } from './figures.ts';
import type { Figures, Ratio, WayFigures } from './figures.ts';
import { lookupCallerCounts } from '../load/lookups.ts';
import type { Part } from '../load/options.ts';
import { median } from '../lib/percentiles.ts';
import type { CeilingSample, Round } from '../load/round.ts';
import type { ServiceFigures } from '../load/service.ts';
import { summarizeSms } from './sms-summary.ts';
import type { SmsSummary } from './sms-summary.ts';
import { routes } from '../data/transfers.ts';
import type { Route } from '../data/transfers.ts';
import type { WayName } from '../load/ways.ts';

/** A row of the tables of deposits. */
interface CallersSummary {
  readonly callers: number;
  readonly ways: Readonly<Record<WayName, WayFigures>>;
  /** The intake's deposits over the textbook's. */
  readonly ratio: Ratio;
}

interface TransferSummary {
  readonly callers: number;
  readonly route: Route;
  readonly textbook: WayFigures;
  readonly intake: WayFigures;
  /** The intake with an SMS to both sides. */
  readonly told: WayFigures;
  /** The intake's transfers over the textbook's. */
  readonly ratio: Ratio;
}

interface LookupSummary {
  readonly callers: number;
  readonly raw: WayFigures;
  readonly ours: WayFigures;
  /** The package's look-ups over the raw ones. */
  readonly ratio: Ratio;
}

/** Of parts that were not measured there are no rows. */
export interface Summary {
  readonly parts: readonly Part[];
  readonly rounds: number;
  readonly byCallers: readonly CallersSummary[];
  readonly ceilings: readonly CeilingSample[];
  readonly transfers: readonly TransferSummary[];
  readonly lookups: readonly LookupSummary[];
  readonly service: (Figures & Pick<ServiceFigures, 'readyMiB' | 'peakMiB' | 'idleMiB'>) | null;
  readonly sms: readonly SmsSummary[];
  /** Failed calls of all rounds, warm-ups included: by who called, and then by error code. */
  readonly errors: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

/** The aims of the intake, in deposits per second. */
export const aims = [
  { callers: 32, perSecond: 8_000 },
  { callers: 2_000, perSecond: 20_000 },
] as const;

/** The aim of the transfers that all go to one wallet, in transfers per second. */
export const hotAim = { callers: 2_000, perSecond: 35_000 } as const;

/** The aim of the look-up: this share of what the driver alone does. */
export const lookupAim = 0.5;

export function summarize(rounds: readonly Round[], parts: readonly Part[]): Summary {
  const ifMeasured = <Row>(part: Part, rows: () => Row[]) => (parts.includes(part) ? rows() : []);
  return {
    parts,
    rounds: rounds.length,
    byCallers: ifMeasured('deposits', () => callerCounts.map((callers) => summarizeCallers(rounds, callers))),
    ceilings: summarizeCeilings(rounds),
    transfers: ifMeasured('transfers', () =>
      routes.flatMap((route) => callerCounts.map((callers) => summarizeTransfers(rounds, route, callers))),
    ),
    lookups: ifMeasured('lookups', () =>
      lookupCallerCounts.map((callers) => summarizeLookups(rounds, callers)),
    ),
    service: summarizeService(rounds.flatMap(({ service }) => service ?? [])),
    sms: ifMeasured('sms', () => summarizeSms(rounds.flatMap(({ sms }) => sms))),
    errors: collectErrors(rounds),
  };
}

/** Undefined when so many callers were not measured. */
export function figuresOf(summary: Summary, way: WayName, callers: number): WayFigures | undefined {
  return summary.byCallers.find((row) => row.callers === callers)?.ways[way];
}

function summarizeCallers(rounds: readonly Round[], callers: number): CallersSummary {
  const samples = (way: WayName) =>
    rounds.flatMap(({ ways }) => ways.filter((sample) => sample.way === way && sample.callers === callers));
  return {
    callers,
    ways: {
      textbook: summarizeWay(samples('textbook')),
      call: summarizeWay(samples('call')),
      intake: summarizeWay(samples('intake')),
    },
    ratio: ratioOf(samples('intake'), samples('textbook')),
  };
}

function summarizeTransfers(rounds: readonly Round[], route: Route, callers: number): TransferSummary {
  const all = rounds.flatMap(({ transfers }) =>
    transfers.filter((sample) => sample.route === route && sample.callers === callers),
  );
  const textbook = all.filter(({ way }) => way === 'textbook');
  const intake = all.filter(({ way }) => way === 'intake');
  return {
    callers,
    route,
    textbook: summarizeWay(textbook),
    intake: summarizeWay(intake),
    told: summarizeWay(all.filter(({ way }) => way === 'told')),
    ratio: ratioOf(intake, textbook),
  };
}

function summarizeLookups(rounds: readonly Round[], callers: number): LookupSummary {
  const all = rounds.flatMap(({ lookups }) => lookups.filter((sample) => sample.callers === callers));
  const raw = all.filter(({ way }) => way === 'raw');
  const ours = all.filter(({ way }) => way === 'package');
  return { callers, raw: summarizeWay(raw), ours: summarizeWay(ours), ratio: ratioOf(ours, raw) };
}

function summarizeCeilings(rounds: readonly Round[]): CeilingSample[] {
  const [first] = rounds;
  return (first?.ceilings ?? []).map(({ statements, batch }, place) => ({
    statements,
    batch,
    perSecond: median(rounds.map(({ ceilings }) => ceilings[place]?.perSecond ?? Number.NaN)),
  }));
}

function summarizeService(samples: readonly ServiceFigures[]): Summary['service'] {
  if (samples.length === 0) return null;
  return {
    ...medians(samples),
    readyMiB: median(samples.map(({ readyMiB }) => readyMiB)),
    // The most that it ever took is what a machine must have.
    peakMiB: Math.max(...samples.map(({ peakMiB }) => peakMiB)),
    idleMiB: median(samples.map(({ idleMiB }) => idleMiB)),
  };
}

function collectErrors(rounds: readonly Round[]): Summary['errors'] {
  const found: Record<string, Record<string, number>> = {};
  const add = (who: string, errors: Readonly<Record<string, number>>) => {
    for (const [code, count] of Object.entries(errors)) {
      const counts = (found[who] ??= {});
      counts[code] = (counts[code] ?? 0) + count;
    }
  };
  for (const { ways, transfers, lookups, service } of rounds) {
    for (const { way, callers, errors } of ways) add(`${way}, ${String(callers)} callers`, errors);
    for (const { route, way, callers, errors } of transfers) {
      add(`transfers, ${route}, ${way}, ${String(callers)} callers`, errors);
    }
    for (const { way, callers, errors } of lookups)
      add(`look-ups, ${way}, ${String(callers)} callers`, errors);
    add('the service', service?.errors ?? {});
  }
  return found;
}
