import { median } from './percentiles.ts';
import { callerCounts } from './round.ts';
import type { CeilingSample, Round, WaySample } from './round.ts';
import type { ServiceFigures } from './service-load.ts';
import type { WayName } from './ways.ts';

/** Medians over the rounds. */
interface Figures {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
}

export interface WayFigures extends Figures {
  /** The slowest and the fastest round. */
  readonly slowest: number;
  readonly fastest: number;
}

/** A row of the tables. */
export interface CallersSummary {
  readonly callers: number;
  readonly ways: Readonly<Record<WayName, WayFigures>>;
  /** The intake's deposits over the textbook's of the same round: the median, and the rounds farthest from it. */
  readonly ratio: { readonly median: number; readonly least: number; readonly most: number };
}

export interface Summary {
  readonly rounds: number;
  readonly byCallers: readonly CallersSummary[];
  readonly ceilings: readonly CeilingSample[];
  readonly service: Figures & Pick<ServiceFigures, 'readyMiB' | 'peakMiB' | 'idleMiB'>;
  /** Failed calls of all rounds, warm-ups included: by who called, and then by error code. */
  readonly errors: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

/** The aims of the intake, in deposits per second. */
export const aims = [
  { callers: 32, perSecond: 8_000 },
  { callers: 2_000, perSecond: 20_000 },
] as const;

export function summarize(rounds: readonly Round[]): Summary {
  return {
    rounds: rounds.length,
    byCallers: callerCounts.map((callers) => summarizeCallers(rounds, callers)),
    ceilings: summarizeCeilings(rounds),
    service: summarizeService(rounds.map(({ service }) => service)),
    errors: collectErrors(rounds),
  };
}

/** Undefined when so many callers were not measured. */
export function figuresOf(summary: Summary, way: WayName, callers: number): WayFigures | undefined {
  return summary.byCallers.find((row) => row.callers === callers)?.ways[way];
}

// A ratio of two rounds would compare what the machine did besides; so it is taken within each round.
function summarizeCallers(rounds: readonly Round[], callers: number): CallersSummary {
  const samples = (way: WayName) =>
    rounds.flatMap(({ ways }) => ways.filter((sample) => sample.way === way && sample.callers === callers));
  const textbook = samples('textbook');
  const ratios = samples('intake').map(
    ({ perSecond }, round) => perSecond / (textbook[round]?.perSecond ?? Number.NaN),
  );
  return {
    callers,
    ways: {
      textbook: summarizeWay(textbook),
      call: summarizeWay(samples('call')),
      intake: summarizeWay(samples('intake')),
    },
    ratio: { median: median(ratios), least: Math.min(...ratios), most: Math.max(...ratios) },
  };
}

function summarizeWay(samples: readonly WaySample[]): WayFigures {
  const rates = samples.map(({ perSecond }) => perSecond);
  return { ...medians(samples), slowest: Math.min(...rates), fastest: Math.max(...rates) };
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
  return {
    ...medians(samples),
    readyMiB: median(samples.map(({ readyMiB }) => readyMiB)),
    // The most that it ever took is what a machine must have.
    peakMiB: Math.max(...samples.map(({ peakMiB }) => peakMiB)),
    idleMiB: median(samples.map(({ idleMiB }) => idleMiB)),
  };
}

function medians(samples: readonly Figures[]): Figures {
  return {
    perSecond: median(samples.map(({ perSecond }) => perSecond)),
    p50: median(samples.map(({ p50 }) => p50)),
    p99: median(samples.map(({ p99 }) => p99)),
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
  for (const { ways, service } of rounds) {
    for (const { way, callers, errors } of ways) add(`${way}, ${String(callers)} callers`, errors);
    add('the service', service.errors);
  }
  return found;
}
