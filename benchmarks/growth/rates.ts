import { createDb, createDepositIntake } from '@repo/db';
import type { Deposit } from '@repo/db';
import { BenchmarkError } from '../lib/errors.ts';
import { readProcessorTimes, spentBetween } from '../lib/processor-time.ts';
import type { Supply } from '../data/payments.ts';
import { runLoad } from '../load/callers.ts';
import { PATIENCE } from '../load/contest.ts';

/** `one`: one lane; `all`: as many as the intake takes by itself. */
export type Lanes = 'one' | 'all';

export interface Rate {
  readonly lanes: Lanes;
  readonly perSecond: number;
  readonly p99: number;
  /** Microseconds of PostgreSQL's processor time for a deposit, warm-up included. */
  readonly processor: number;
  readonly acknowledged: number;
}

interface Terms {
  readonly lanes: Lanes;
  readonly payments: Supply<Deposit>;
  /** The process of the server. */
  readonly serverPid: number;
  readonly callers: number;
  /** Milliseconds in which answers are counted. */
  readonly window: number;
}

/**
 * Deposits per second into a database as it is.
 *
 * @throws BenchmarkError `not_credited` when a call failed or went elsewhere
 */
export async function measureRate(url: string, terms: Terms): Promise<Rate> {
  const { lanes, payments, serverPid, callers, window } = terms;
  const db = createDb({ url, connectTimeoutMs: PATIENCE, statementTimeoutMs: PATIENCE });
  const intake = createDepositIntake(db, lanes === 'one' ? { lanes: 1 } : {});
  try {
    const before = await readProcessorTimes(serverPid);
    const measured = await runLoad(
      async ({ place }) => {
        const { outcome } = await intake.record(payments.at(place));
        if (outcome !== 'credited') throw new BenchmarkError('not_credited', `it is ${outcome}.`);
      },
      { callers, window, warmUp: window / 2, warmUpAtMost: 60_000 },
    );
    const { perSecond, p99, acknowledged, failed, errors } = measured;
    if (failed > 0) throw new BenchmarkError('not_credited', `calls failed: ${JSON.stringify(errors)}.`);
    const spent = spentBetween(before, await readProcessorTimes(serverPid));
    return { lanes, perSecond, p99, processor: (spent * 1_000) / acknowledged, acknowledged };
  } finally {
    await intake.close();
    await db.close();
  }
}
