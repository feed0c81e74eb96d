import type { Measured } from '../load/callers.ts';
import { median } from '../lib/percentiles.ts';

/** Medians over the rounds. */
export interface Figures {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
}

export interface WayFigures extends Figures {
  /** The slowest and the fastest round. */
  readonly slowest: number;
  readonly fastest: number;
}

/** How many times another way's figure ours is: the median over the rounds, and the rounds farthest from it. */
export interface Ratio {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

export function summarizeWay(samples: readonly Measured[]): WayFigures {
  const rates = samples.map(({ perSecond }) => perSecond);
  return { ...medians(samples), slowest: Math.min(...rates), fastest: Math.max(...rates) };
}

// A ratio of two rounds would compare what the machine did besides; so it is taken within each round.
export function ratioOf(ours: readonly Measured[], others: readonly Measured[]): Ratio {
  const ratios = ours.map(({ perSecond }, round) => perSecond / (others[round]?.perSecond ?? Number.NaN));
  return { median: median(ratios), least: Math.min(...ratios), most: Math.max(...ratios) };
}

export function medians(samples: readonly Figures[]): Figures {
  return {
    perSecond: median(samples.map(({ perSecond }) => perSecond)),
    p50: median(samples.map(({ p50 }) => p50)),
    p99: median(samples.map(({ p99 }) => p99)),
  };
}
