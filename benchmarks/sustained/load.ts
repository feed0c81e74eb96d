import { setTimeout as sleep } from 'node:timers/promises';
import { kindOf } from '../lib/errors.ts';
import { percentile, percentileOfCounts } from '../lib/percentiles.ts';

/** Milliseconds. What takes longer counts as this. */
const LONGEST = 60_000;

/** What was answered in one second. */
export interface Second {
  readonly answers: number;
  /** Milliseconds from call to answer; 0 when nothing was answered. */
  readonly p50: number;
  readonly p99: number;
}

export interface Endured {
  readonly seconds: readonly Second[];
  /** Milliseconds, rounded up: of all answers. */
  readonly p99: number;
  /** From the first call to the last answer. */
  readonly acknowledged: number;
  readonly failed: number;
  /** Failed calls by error code. */
  readonly errors: Readonly<Record<string, number>>;
}

/**
 * Calls `work` from many callers, each again as soon as it has its answer, and keeps a record of every second. Resolves
 * when the last caller has its answer.
 */
export async function endure(
  work: (place: number) => Promise<void>,
  { callers, seconds }: { readonly callers: number; readonly seconds: number },
  tick: (second: Second, place: number) => void,
): Promise<Endured> {
  const errors: Record<string, number> = {};
  const record: Second[] = [];
  const counts = new Uint32Array(LONGEST + 1);
  let latencies: number[] = [];
  let place = 0;
  let acknowledged = 0;
  let failed = 0;
  const end = new AbortController();

  async function call(): Promise<void> {
    while (!end.signal.aborted) {
      const begun = performance.now();
      try {
        place += 1;
        await work(place - 1);
        acknowledged += 1;
        const took = performance.now() - begun;
        latencies.push(took);
        const milliseconds = Math.min(Math.ceil(took), LONGEST);
        counts[milliseconds] = (counts[milliseconds] ?? 0) + 1;
      } catch (error) {
        failed += 1;
        errors[kindOf(error)] = (errors[kindOf(error)] ?? 0) + 1;
        // A refusal that costs nothing must not keep the others from being served.
        await sleep(1);
      }
    }
  }

  const calling = Promise.all(Array.from({ length: callers }, call));
  const begun = performance.now();
  for (let second = 1; second <= seconds; second += 1) {
    await sleep(Math.max(0, begun + second * 1_000 - performance.now()));
    const sorted = Float64Array.from(latencies).toSorted();
    latencies = [];
    const some = sorted.length > 0;
    const each = {
      answers: sorted.length,
      p50: some ? percentile(sorted, 50) : 0,
      p99: some ? percentile(sorted, 99) : 0,
    };
    record.push(each);
    tick(each, second);
  }
  end.abort();
  await calling;
  return { seconds: record, p99: percentileOfCounts(counts, 99), acknowledged, failed, errors };
}
