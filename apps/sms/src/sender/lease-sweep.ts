import { expireSmsLeases } from '@repo/db';
import type { Db } from '@repo/db';
import { startRepeating } from '@repo/http';
import type { Repeating } from '@repo/http';
import type { FastifyBaseLogger } from 'fastify';
import type { SenderMetrics } from './sender-metrics.ts';

export interface LeaseSweepDependencies {
  readonly db: Db;
  readonly log: FastifyBaseLogger;
  readonly metrics: Pick<SenderMetrics, 'leasesExpired'>;
}

/**
 * Takes the attempts of processes that are gone for what they are, of unknown outcome, round after round. Every sender
 * does so, for all of them. A round that fails is logged, and the next one tries again.
 */
export function startLeaseSweep({ db, log, metrics }: LeaseSweepDependencies, pauseMs: number): Repeating {
  async function round(signal: AbortSignal): Promise<void> {
    try {
      let expired = 1;
      while (expired > 0 && !signal.aborted) {
        ({ expired } = await expireSmsLeases(db));
        if (expired === 0) break;
        metrics.leasesExpired.inc(expired);
        log.warn(
          { expired },
          'messages of unknown outcome: their senders are gone. See GET /messages?status=unknown',
        );
      }
    } catch (error) {
      log.warn({ err: error }, 'leases that are over could not be looked for; the next round tries again');
    }
  }
  return startRepeating(round, { pauseMs });
}
