import { findGaps } from '@repo/db';
import type { Db, DepositIntake, Reads } from '@repo/db';
import { startRepeating } from '@repo/http';
import type { Repeating } from '@repo/http';
import type { FastifyBaseLogger } from 'fastify';
import type { Daraja } from '../daraja/client.ts';
import { receiverOf } from '../daraja/settings.ts';
import type { AppSettings } from '../dependencies.ts';
import { GAP_KINDS } from './gap-metrics.ts';
import type { GapMetrics } from './gap-metrics.ts';
import { pullPayments, REACH_MS } from './pull-payments.ts';

export interface GapWatchDependencies {
  readonly db: Db;
  readonly reads: Reads;
  readonly intake: DepositIntake;
  readonly daraja: Daraja | null;
  readonly settings: Pick<AppSettings, 'pullMinutes'>;
  readonly metrics: GapMetrics;
  readonly log: Pick<FastifyBaseLogger, 'error' | 'warn'>;
}

/** It reads the payments of a day, and of four earlier ones: often enough to learn of a silence in its second hour. */
const LOOK_MS = 900_000;

const MINUTE_MS = 60_000;

/** Looks for gaps of the last day, round after round, and before that pulls and records what is missing where that is set. */
export function startGapWatch(deps: GapWatchDependencies): Repeating {
  const { daraja, settings } = deps;
  const { pullMinutes } = settings;
  const isPulling = daraja !== null && pullMinutes !== undefined;
  return startRepeating(
    async () => {
      if (isPulling) await pullMissing(deps, daraja);
      await look(deps);
    },
    { pauseMs: isPulling ? pullMinutes * MINUTE_MS : LOOK_MS },
  );
}

/** Pulls the payments of the whole reach: what could not be pulled before comes then. It never rejects. */
async function pullMissing(
  { db, intake, metrics, log }: Pick<GapWatchDependencies, 'db' | 'intake' | 'log' | 'metrics'>,
  daraja: Daraja,
): Promise<void> {
  const to = new Date();
  const { shortCode } = daraja.settings;
  try {
    const pulled = await pullPayments(
      { db, daraja },
      {
        shortCode,
        receiver: receiverOf(daraja.settings),
        from: new Date(to.getTime() - REACH_MS),
        to,
        intake,
      },
    );
    if (pulled.kind === 'failed') {
      metrics.failures.inc();
      log.warn({ code: pulled.code }, 'payments could not be pulled; the next round tries again');
      return;
    }
    for (const { receipt, outcome } of pulled.missing) {
      metrics.pulled.inc({ outcome: outcome ?? 'found' });
      log.warn({ receipt, outcome }, 'a payment whose callback never came was pulled and recorded');
    }
  } catch (error) {
    metrics.failures.inc();
    log.error({ err: error }, 'pulled payments could not be recorded; the next round tries again');
  }
}

async function look({ reads, metrics, log }: GapWatchDependencies): Promise<void> {
  try {
    const gaps = await reads.current((handle) => findGaps(handle));
    for (const kind of GAP_KINDS) metrics.gaps.set({ kind }, gaps.filter((gap) => gap.kind === kind).length);
  } catch (error) {
    log.warn({ err: error }, 'gaps could not be looked for; the next round tries again');
  }
}
