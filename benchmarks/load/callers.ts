import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import type { Expectation } from '../audit/audit.ts';
import { kindOf } from '../lib/errors.ts';
import { percentile } from '../lib/percentiles.ts';
import type { Pace } from './workbench.ts';

export interface Load extends Pick<Pace, 'warmUp' | 'warmUpAtMost' | 'window'> {
  /** How many call at once, each again as soon as it has its answer. */
  readonly callers: number;
}

/** From the first call to the last answer, warm-up included, it is counted what the database must hold. */
export interface Measured extends Expectation {
  /** Answers that arrived inside the window, by the time that the window really took. */
  readonly perSecond: number;
  /** Milliseconds from call to answer, of those answers. */
  readonly p50: number;
  readonly p99: number;
  /** Failed calls, warm-up included, by error code. */
  readonly errors: Readonly<Record<string, number>>;
}

/** Which of the callers calls, and how many calls there were before. */
interface Call {
  readonly caller: number;
  readonly place: number;
}

/**
 * Calls `work` from many callers at once, and measures in a window in which all of them are already at it.
 * Resolves when the last caller has its answer, so that nothing is in flight afterwards.
 */
export async function runLoad(work: (call: Call) => Promise<void>, load: Load): Promise<Measured> {
  const errors: Record<string, number> = {};
  const latencies: number[] = [];
  const everybodyAnswered = Promise.withResolvers<undefined>();
  let unanswered = load.callers;
  let place = 0;
  let acknowledged = 0;
  let failed = 0;
  let phase: 'warming up' | 'measuring' | 'over' = 'warming up';
  const isOver = () => phase === 'over';

  async function call(caller: number): Promise<void> {
    for (let calls = 1; !isOver(); calls += 1) {
      const begun = performance.now();
      try {
        place += 1;
        await work({ caller, place: place - 1 });
        acknowledged += 1;
        if (phase === 'measuring') latencies.push(performance.now() - begun);
      } catch (error) {
        failed += 1;
        errors[kindOf(error)] = (errors[kindOf(error)] ?? 0) + 1;
        // A refusal that costs nothing must not keep the others from being served.
        await turn();
      }
      if (calls === 1) unanswered -= 1;
      if (unanswered === 0) everybodyAnswered.resolve(undefined);
    }
  }

  const callers = Promise.all(Array.from({ length: load.callers }, (_, caller) => call(caller)));
  await sleep(load.warmUp);
  // Answers of callers who were all let in at the same moment would come sooner than they ever do again.
  const longest = load.warmUpAtMost - load.warmUp;
  await Promise.race([everybodyAnswered.promise, sleep(longest, undefined, { ref: false })]);
  phase = 'measuring';
  const opened = performance.now();
  await sleep(load.window);
  phase = 'over';
  const seconds = (performance.now() - opened) / 1_000;
  // Answers that arrive from now on are awaited, but belong to no window.
  const sorted = Float64Array.from(latencies).toSorted();
  await callers;
  const [p50, p99] = [percentile(sorted, 50), percentile(sorted, 99)];
  return { perSecond: sorted.length / seconds, p50, p99, acknowledged, failed, errors };
}
