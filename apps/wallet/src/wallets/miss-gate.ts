import type { RateLimiter } from './rate-limiter.ts';

export interface MissGateOptions {
  readonly limiter: RateLimiter;
  /** Whether the error means that what was asked for does not exist. */
  readonly isMiss: (error: unknown) => boolean;
  /** Throws the refusal for a caller who has missed too often. */
  readonly refuse: (key: string) => never;
}

/** Lets work of a key in that may turn out to be a miss, and counts it if it does. */
export type MissGate = <Result>(key: string, work: () => Promise<Result>) => Promise<Result>;

interface Line {
  inFlight: number;
  readonly waiting: (() => void)[];
}

/**
 * Never more work at once than the key may miss, or a crowd of requests that are asked at the same moment would all
 * pass before the first miss is counted. What is beyond it waits for its turn, and is refused only when misses have
 * used up all room: a caller who misses nothing is never refused.
 */
export function createMissGate({ limiter, isMiss, refuse }: MissGateOptions): MissGate {
  const lines = new Map<string, Line>();

  function lineOf(key: string): Line {
    const line = lines.get(key) ?? { inFlight: 0, waiting: [] };
    lines.set(key, line);
    return line;
  }

  async function enter(key: string, line: Line): Promise<void> {
    // Who comes while others wait goes behind them.
    if (line.waiting.length > 0) await new Promise<void>((resolve) => line.waiting.push(resolve));
    for (;;) {
      const room = limiter.room(key);
      if (room < 1) {
        callNext(line);
        refuse(key);
      }
      if (line.inFlight < room) break;
      await new Promise<void>((resolve) => line.waiting.unshift(resolve));
    }
    line.inFlight += 1;
    callNext(line);
  }

  return async (key, work) => {
    const line = lineOf(key);
    await enter(key, line);
    try {
      return await work();
    } catch (error) {
      if (isMiss(error)) limiter.spend(key);
      throw error;
    } finally {
      line.inFlight -= 1;
      callNext(line);
    }
  };
}

/** Wakes the caller that waits longest. It checks for itself whether there is room, and otherwise waits on. */
function callNext(line: Line): void {
  line.waiting.shift()?.();
}
