import { rounded, whole } from '../lib/markdown.ts';
import type { Column } from '../lib/markdown.ts';
import { median } from '../lib/percentiles.ts';
import type { Sample, Subject, WayName } from '../load/contest.ts';
import type { Round } from '../load/round.ts';

/** What a measurement says of its speed, in one round. */
interface Speed {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
}

/** Medians over the rounds, and the slowest and the fastest round. */
export interface Figures extends Speed {
  readonly slowest: number;
  readonly fastest: number;
}

/** What was measured of a subject with so many callers. */
export interface Row {
  readonly callers: number;
  readonly figures: (way: WayName) => Figures;
  /** How many times the other way's rate ours is, in each round. */
  readonly ratios: (ours: WayName, theirs: WayName) => readonly number[];
}

/** A row for each number of callers, fewest first. */
export function rowsOf(rounds: readonly Round[], subject: Subject): Row[] {
  const samples = rounds.flatMap((round) => round.samples.filter((sample) => sample.subject === subject));
  return [...Map.groupBy(samples, ({ callers }) => callers)].map(([callers, group]) => rowOf(callers, group));
}

function rowOf(callers: number, samples: readonly Sample[]): Row {
  const of = (way: WayName) => samples.filter((sample) => sample.way === way);
  return {
    callers,
    figures: (way) => figuresOf(of(way)),
    // A ratio of two rounds would compare what the machine did besides; so it is taken within each round.
    ratios: (ours, theirs) => {
      const others = of(theirs);
      return of(ours).map(({ perSecond }, round) => perSecond / (others[round]?.perSecond ?? Number.NaN));
    },
  };
}

export function figuresOf(samples: readonly Speed[]): Figures {
  const rates = samples.map(({ perSecond }) => perSecond);
  return {
    perSecond: median(rates),
    p50: median(samples.map(({ p50 }) => p50)),
    p99: median(samples.map(({ p99 }) => p99)),
    slowest: Math.min(...rates),
    fastest: Math.max(...rates),
  };
}

export const waits = ({ p50, p99 }: Speed): string => `${rounded(p50)} / ${rounded(p99)}`;

/** An aim that is missed says so, and by how much. */
export function verdict(measured: number, aim: number): string {
  if (Number.isNaN(measured)) return '-';
  return measured >= aim ? 'met' : `missed by ${whole(100 - (100 * measured) / aim)} %`;
}

/** The columns that set figures against an aim in so many per second. */
export function aimColumns<Item>(aim: (item: Item) => number, of: (item: Item) => Figures) {
  const columns: Column<Item>[] = [
    ['aim', (item) => whole(aim(item))],
    ['measured', (item) => rounded(of(item).perSecond)],
    ['slowest to fastest round', (item) => `${rounded(of(item).slowest)} to ${rounded(of(item).fastest)}`],
    ['', (item) => verdict(of(item).perSecond, aim(item))],
  ];
  return columns;
}
