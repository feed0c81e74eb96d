import { expireHolds } from '@repo/db';
import type { Db, FailedExpiry } from '@repo/db';
import { startRepeating } from '@repo/http';
import type { Repeating } from '@repo/http';
import type { FastifyBaseLogger } from 'fastify';

/** How often holds are looked for whose time is over; milliseconds. They cannot be captured any more by then. */
const USUAL_PAUSE_MS = 15_000;

interface HoldExpiryOptions {
  /** Default: 15,000. */
  readonly pauseMs?: number;
  /** Called after each round with the number of holds that are over and cannot be given back. */
  readonly onStuck?: (count: number) => void;
}

/**
 * Gives back the money of holds whose time is over, round after round, until it is stopped. Several processes may do
 * so at once: each hold expires once. A hold that cannot be given back stops no other, and is logged once. A round that
 * fails is logged, and the next one tries again.
 */
export function startHoldExpiry(
  db: Db,
  log: FastifyBaseLogger,
  { pauseMs = USUAL_PAUSE_MS, onStuck }: HoldExpiryOptions = {},
): Repeating {
  let known = new Set<string>();

  function reportStuck(failed: ReadonlyMap<string, FailedExpiry>): void {
    for (const { holdId, failure } of failed.values()) {
      if (known.has(holdId)) continue;
      log.error({ hold: holdId, failure }, 'a hold is over and cannot be given back; look at its wallet');
    }
    known = new Set(failed.keys());
    onStuck?.(known.size);
  }

  async function round(signal: AbortSignal): Promise<void> {
    const stuck = new Map<string, FailedExpiry>();
    try {
      let expired = 1;
      while (expired > 0 && !signal.aborted) {
        const done = await expireHolds(db);
        ({ expired } = done);
        for (const each of done.failed) stuck.set(each.holdId, each);
        if (expired > 0) log.info({ expired }, 'holds have expired');
      }
      reportStuck(stuck);
    } catch (error) {
      log.warn({ err: error }, 'holds that are over could not be given back; the next round tries again');
    }
  }
  return startRepeating(round, { pauseMs });
}
