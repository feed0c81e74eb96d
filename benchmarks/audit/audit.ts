import { BenchmarkError } from '../lib/errors.ts';

/** What the callers know when the last of them has its answer. */
export interface Expectation {
  readonly acknowledged: number;
  /** Failed calls; of each it is unknown whether it was committed. */
  readonly failed: number;
}

/**
 * Requires that every rule holds.
 *
 * @param facts what the database holds
 * @param known what the facts were compared with
 * @throws BenchmarkError `counts_wrong`
 */
export function requireRules(rules: Readonly<Record<string, boolean>>, facts: object, known: object): void {
  const broken = Object.keys(rules).filter((rule) => rules[rule] !== true);
  if (broken.length === 0) return;
  throw new BenchmarkError(
    'counts_wrong',
    `not so: ${broken.join('; ')}. Known is ${JSON.stringify(known)}, and there are ${JSON.stringify(facts)}.`,
  );
}

/** Whether there are as many as were acknowledged, and at most those more of which nobody knows. */
export function isBetween(count: number, { acknowledged, failed }: Expectation): boolean {
  return count >= acknowledged && count <= acknowledged + failed;
}
