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

const backOff = { firstMs: 100, longestMs: 5_000 };

/**
 * An answer of the provider is known to this process alone until it is recorded, so it is said again until it is:
 * recording is idempotent.
 */
export function createSettlements(settler: SmsSettler, log: FastifyBaseLogger): Settlements {
  let depth = 0;
  let isFailing = false;

  function onFailure(error: unknown): void {
    // One line for an outage, whatever waits.
    if (!isFailing)
      log.error({ err: error }, 'answers cannot be recorded; they are said again until they are');
    isFailing = true;
  }

  function onSuccess(): void {
    if (isFailing) log.info('answers are recorded again');
    isFailing = false;
  }

  async function persist(settlement: SmsSettlement): Promise<SettledSms> {
    for (let tries = 1; ; tries += 1) {
      try {
        const settled = await settler.settle(settlement);
        onSuccess();
        return settled;
      } catch (error) {
        if (isRefused(error)) throw error;
        onFailure(error);
      }
      await sleep(pauseAfter(tries, backOff));
    }
  }

  /** Something in the provider's words or sums does not fit a column; the outcome itself does. */
  async function salvage(settlement: SmsSettlement, error: unknown): Promise<SettledSms | null> {
    const { id, attempt, outcome, providerMessageId = null, errorCode = null, retryAfterMs = 0 } = settlement;
    const named = { message: id, attempt, outcome };
    log.error(
      { err: error, ...named },
      'the answer does not fit the database; its outcome alone is recorded',
    );
    try {
      return await persist({ id, attempt, outcome, providerMessageId, errorCode, retryAfterMs });
    } catch (cause) {
      log.error({ err: cause, ...named }, 'nor does its outcome: it will count as unknown');
      return null;
    }
  }

  return {
    async record(settlement) {
      depth += 1;
      try {
        return await persist(settlement);
      } catch (error) {
        return await salvage(settlement, error);
      } finally {
        depth -= 1;
      }
    },
    get depth() {
      return depth;
    },
  };
}

function isRefused(error: unknown): boolean {
  return !isDaftariError(error) || error.code === 'request_failed' || error.code === 'invalid_request';
}
