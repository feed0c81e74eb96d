import { expireHolds } from '@repo/db';
import type { Db } from '@repo/db';
import { startRepeating } from '@repo/http';
import type { Repeating } from '@repo/http';
import type { FastifyBaseLogger } from 'fastify';

/** How often holds are looked for whose time is over; milliseconds. They cannot be captured any more by then. */
const usualPauseMs = 15_000;

/**
 * Gives back the money of holds whose time is over, round after round, until it is stopped. Several processes may do
 * so at once: each hold expires once. A round that fails is logged, and the next one tries again.
 */
export function startHoldExpiry(db: Db, log: FastifyBaseLogger, pauseMs: number = usualPauseMs): Repeating {
  async function round(signal: AbortSignal): Promise<void> {
    try {
      let expired = 1;
      while (expired > 0 && !signal.aborted) {
        ({ expired } = await expireHolds(db));
        if (expired > 0) log.info({ expired }, 'holds have expired');
      }
    } catch (error) {
      log.warn({ err: error }, 'holds that are over could not be given back; the next round tries again');
    }
  }
  return startRepeating(round, { pauseMs });
}
