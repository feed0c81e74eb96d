import { setTimeout as sleep } from 'node:timers/promises';
import { isDaftariError } from '@repo/db';
import type { SettledSms, SmsSettler, SmsSettlement } from '@repo/db';
import type { FastifyBaseLogger } from 'fastify';
import { pauseAfter } from './back-off.ts';

/** Records what came of attempts, however long it takes. */
export interface Settlements {
  /** Resolves when it is recorded; null when the database refuses it for what it is. */
  record(settlement: SmsSettlement): Promise<SettledSms | null>;
  /** Not recorded yet. */
  readonly depth: number;
}

/**
 * Until an answer of the provider is recorded, only this process knows it, so recording is retried until it succeeds or
 * is refused; it is idempotent. An answer whose words or sums do not fit the database is recorded without them.
 */
export function createSettlements(settler: SmsSettler, log: FastifyBaseLogger): Settlements {
  const persist = createPersistence(settler, log);
  let depth = 0;

  async function recordAsFits(settlement: SmsSettlement): Promise<SettledSms | null> {
    const whole = await persist(settlement);
    if (whole.settled !== null) return whole.settled;
    const { id, attempt, outcome, providerMessageId = null, errorCode = null, retryAfterMs = 0 } = settlement;
    const named = { message: id, attempt, outcome };
    log.error(
      { ...whole.why, ...named },
      'the answer does not fit the database; its outcome alone is recorded',
    );
    const plain = await persist({ id, attempt, outcome, providerMessageId, errorCode, retryAfterMs });
    if (plain.settled !== null) return plain.settled;
    log.error({ ...plain.why, ...named }, 'nor does its outcome: it will count as unknown');
    return null;
  }

  return {
    async record(settlement) {
      depth += 1;
      try {
        return await recordAsFits(settlement);
      } finally {
        depth -= 1;
      }
    },
    get depth() {
      return depth;
    },
  };
}

/** What came of recording; `why` is for the log. */
type Recorded =
  | { readonly settled: SettledSms }
  | {
      readonly settled: null;
      readonly why: { readonly err: unknown } | { readonly field: string | undefined };
    };

const BACK_OFF = { firstMs: 100, longestMs: 5_000 };

/** Builds the function that retries a settlement until it is recorded or refused. */
function createPersistence(settler: SmsSettler, log: FastifyBaseLogger) {
  let isFailing = false;

  return async (settlement: SmsSettlement): Promise<Recorded> => {
    for (let tries = 1; ; tries += 1) {
      try {
        const settled = await settler.settle(settlement);
        if (isFailing) log.info('answers are recorded again');
        isFailing = false;
        return settled.result === 'invalid' ? { settled: null, why: { field: settled.field } } : { settled };
      } catch (error) {
        if (isRefused(error)) return { settled: null, why: { err: error } };
        // One line for an outage, whatever waits.
        if (!isFailing)
          log.error({ err: error }, 'answers cannot be recorded; recording is retried until it succeeds');
        isFailing = true;
      }
      await sleep(pauseAfter(tries, BACK_OFF));
    }
  };
}

function isRefused(error: unknown): boolean {
  return !isDaftariError(error) || error.code === 'request_failed';
}
