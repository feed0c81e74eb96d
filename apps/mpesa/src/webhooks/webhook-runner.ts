import {
  claimWebhookDeliveries,
  disableWebhook,
  findDueWebhooks,
  finishWebhookDelivery,
  measureWebhooks,
} from '@repo/db';
import type { ClaimedDelivery, Db, DueWebhook } from '@repo/db';
import { startRepeating } from '@repo/http';
import type { Repeating } from '@repo/http';
import type { FastifyBaseLogger } from 'fastify';
import type { Sealing } from '../daraja/sealing.ts';
import { webhookDelay } from './timings.ts';
import type { WebhookTimings } from './timings.ts';
import type { WebhookAnswer, WebhookClient } from './webhook-client.ts';
import type { WebhookMetrics } from './webhook-metrics.ts';

export interface WebhookRunnerDependencies {
  readonly db: Db;
  readonly sealing: Sealing;
  readonly client: WebhookClient;
  readonly timings: WebhookTimings;
  readonly metrics: WebhookMetrics;
  readonly log: Pick<FastifyBaseLogger, 'warn'>;
}

/** Sent at once to one endpoint by one process. */
const BATCH = 32;

/** Between two counts of what waits. */
const COUNT_MS = 15_000;

/** An endpoint answers so when it is gone for good. */
const GONE = 410;

/**
 * Delivers what is due, round after round. Every process does so for all. Each endpoint is served by itself, so one that does
 * not answer keeps nobody else waiting. It stops when what was taken is done.
 */
export function startWebhookRunner(deps: WebhookRunnerDependencies): Repeating {
  const { db, timings, metrics, log } = deps;
  const served = new Map<string, Promise<void>>();

  async function round(signal: AbortSignal): Promise<void> {
    try {
      for (const webhook of await findDueWebhooks(db)) {
        if (served.has(webhook.id)) continue;
        const serving = serve(deps, webhook, signal).finally(() => served.delete(webhook.id));
        served.set(webhook.id, serving);
      }
    } catch (error) {
      log.warn({ err: error }, 'webhooks that are due could not be looked for; the next round tries again');
    }
  }

  async function count(): Promise<void> {
    try {
      const { waiting, oldestSeconds } = await measureWebhooks(db);
      metrics.waiting.set(waiting);
      metrics.oldest.set(oldestSeconds);
    } catch (error) {
      log.warn({ err: error }, 'waiting webhooks could not be counted; the next round tries again');
    }
  }

  const delivering = startRepeating(round, { pauseMs: timings.pauseMs });
  const counting = startRepeating(count, { pauseMs: COUNT_MS, startsNow: true });
  return {
    async stop() {
      await delivering.stop();
      await counting.stop();
      await Promise.all(served.values());
    },
  };
}

/** Delivers what is due for one endpoint, until nothing is or nothing gets through. */
async function serve(
  deps: WebhookRunnerDependencies,
  webhook: DueWebhook,
  signal: AbortSignal,
): Promise<void> {
  const { db, timings, log } = deps;
  const { leaseMs } = timings;
  const mostAttempts = timings.delaysMs.length + 1;
  try {
    let isGoingOn = true;
    while (isGoingOn && !signal.aborted) {
      const claim = { webhook: webhook.id, limit: BATCH, leaseMs, mostAttempts };
      const claimed = await claimWebhookDeliveries(db, claim);
      const outcomes = await Promise.all(claimed.map((delivery) => deliver(deps, webhook, delivery)));
      isGoingOn = claimed.length === BATCH && outcomes.includes('delivered');
    }
  } catch (error) {
    log.warn({ err: error, webhook: webhook.id }, 'deliveries are made again when their leases are over');
  }
}

async function deliver(
  { db, sealing, client, timings, metrics, log }: WebhookRunnerDependencies,
  { id: webhook, url, sealedSecret }: DueWebhook,
  { id, attempt, eventId, type, data, createdAt }: ClaimedDelivery,
): Promise<'delivered' | 'retry' | 'failed'> {
  const secret = sealedSecret === null ? null : sealing.open(sealedSecret);
  let answer: WebhookAnswer = { status: null, reason: 'secret_unreadable' };
  if (secret !== null) {
    const body = `{"type":${JSON.stringify(type)},"timestamp":"${createdAt.toISOString()}","data":${data}}`;
    const timestamp = Math.floor(Date.now() / 1_000);
    answer = await client.post({ url, secret }, { id: eventId, timestamp, body });
  }
  const { status, reason } = answer;
  const dueMs = reason === null || status === GONE ? null : webhookDelay(attempt, timings);
  await finishWebhookDelivery(db, { id, attempt, statusCode: status, reason, dueMs });
  const outcome = reason === null ? 'delivered' : dueMs === null ? 'failed' : 'retry';
  metrics.attempts.inc({ outcome });
  if (status === GONE) await disableWebhook(db, { id: webhook, by: 'endpoint', reason: 'gone' });
  if (outcome !== 'delivered')
    log.warn({ webhook, event: eventId, attempt, reason, outcome }, 'an event was not delivered');
  return outcome;
}
