import { expireSmsLeases } from '@repo/db';
import type { Db } from '@repo/db';
import type { FastifyBaseLogger } from 'fastify';
import type { SenderMetrics } from './sender-metrics.ts';

export interface LeaseSweepDependencies {
  readonly db: Db;
  readonly log: FastifyBaseLogger;
  readonly metrics: Pick<SenderMetrics, 'leasesExpired'>;
}

export interface LeaseSweep {
  /** Ends it; resolves when the round under way is done. */
  stop(): Promise<void>;
}

/**
 * Takes the attempts of processes that are gone for what they are, of unknown outcome, round after round. Every sender
 * does so, for all of them. A round that fails is logged, and the next one tries again.
 */
export function startLeaseSweep({ db, log, metrics }: LeaseSweepDependencies, pauseMs: number): LeaseSweep {
  const stopped = new AbortController();
  const { signal } = stopped;
  let underWay: Promise<void> = Promise.resolve();
  let timer: NodeJS.Timeout | null = null;

  async function round(): Promise<void> {
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
    schedule();
  }

  function schedule(): void {
    if (signal.aborted) return;
    timer = setTimeout(() => {
      underWay = round();
    }, pauseMs);
    timer.unref();
  }

  schedule();
  return {
    async stop() {
      stopped.abort();
      if (timer !== null) clearTimeout(timer);
      await underWay;
    },
  };
}
