import { createRandom } from '../random.ts';
import type { Random } from '../random.ts';

/**
 * A source of chance for each thing that happens, drawn from the seed and the thing itself. Requests that arrive in
 * another order therefore meet the same fate. What is repeated word for word is numbered, and meets another one.
 */
export interface Chance {
  of(thing: string): Random;
  /** How often the thing was asked for before. */
  occurrence(thing: string): number;
}

export function createChance(seed: string): Chance {
  const seen = new Map<string, number>();

  function occurrence(thing: string): number {
    const before = seen.get(thing) ?? 0;
    seen.set(thing, before + 1);
    return before;
  }
  return {
    occurrence,
    of: (thing) => createRandom(`${seed}\n${thing}`),
  };
}
