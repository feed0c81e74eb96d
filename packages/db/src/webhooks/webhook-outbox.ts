import { query } from '../connection/handle.ts';
import type { Handle, Statement } from '../connection/handle.ts';
import { DaftariError } from '../errors.ts';
import type { WebhookEventType } from './webhooks.ts';

/** An endpoint for which something is due. */
export interface DueWebhook {
  readonly id: string;
  readonly url: string;
  /** As it was registered; null once the endpoint is disabled. */
  readonly sealedSecret: Uint8Array | null;
}

/** An event to deliver, and which attempt this is. */
export interface ClaimedDelivery {
  readonly id: string;
  /** Counted from 1. */
  readonly attempt: number;
  /** The same in every attempt, and for every endpoint. */
  readonly eventId: string;
  readonly type: WebhookEventType;
  /** JSON text, the same in every attempt. */
  readonly data: string;
  readonly createdAt: Date;
}

/** Endpoints for which something is due now. */
export async function findDueWebhooks(db: Handle): Promise<DueWebhook[]> {
  const rows = await query<DueRow>(db, DUE, []);
  return rows.map(({ id, url, secret }) => ({
    id,
    url,
    sealedSecret: secret === null ? null : Buffer.from(secret, 'hex'),
  }));
}

/** Takes what is due for one endpoint: nobody else gets it until the lease is over. */
export async function claimWebhookDeliveries(
  db: Handle,
  {
    webhook,
    limit,
    leaseMs,
    mostAttempts,
  }: {
    readonly webhook: string;
    readonly limit: number;
    readonly leaseMs: number;
    readonly mostAttempts: number;
  },
): Promise<ClaimedDelivery[]> {
  const rows = await query<ClaimRow>(db, CLAIM, [webhook, limit, leaseMs, mostAttempts]);
  return rows.map(({ id, attempt, event_id: eventId, type, data, created_ms: created }) => ({
    id,
    attempt,
    eventId,
    type,
    data,
    createdAt: new Date(Number(created)),
  }));
}

/** Records what came of an attempt: delivered where `reason` is null, else to be tried after `dueMs`, or never (null). */
export async function finishWebhookDelivery(
  db: Handle,
  {
    id,
    attempt,
    statusCode,
    reason,
    dueMs,
  }: {
    readonly id: string;
    readonly attempt: number;
    readonly statusCode: number | null;
    readonly reason: string | null;
    readonly dueMs: number | null;
  },
): Promise<void> {
  await query(db, FINISH, [id, attempt, statusCode, reason, dueMs]);
}

/** What waits in the outbox. */
export interface WebhookBacklog {
  /** Deliveries that are not made yet. */
  readonly waiting: number;
  /** Of the one that waits longest; 0 when none does. */
  readonly oldestSeconds: number;
}

export async function measureWebhooks(db: Handle): Promise<WebhookBacklog> {
  const [row] = await query<{ waiting: string; oldest: string }>(db, MEASURE, []);
  if (row === undefined) throw new DaftariError('database_error');
  return { waiting: Number(row.waiting), oldestSeconds: Number(row.oldest) };
}

interface DueRow {
  readonly id: string;
  readonly url: string;
  readonly secret: string | null;
}

interface ClaimRow {
  readonly id: string;
  readonly attempt: number;
  readonly event_id: string;
  readonly type: WebhookEventType;
  readonly data: string;
  readonly created_ms: string;
}

const DUE: Statement = {
  name: 'webhooks_due',
  text: `
SELECT w.id::text AS id, w.url, encode(w.secret, 'hex') AS secret
  FROM services.webhooks w
 WHERE EXISTS (
    SELECT FROM services.webhook_deliveries d
     WHERE d.webhook_id = w.id AND d.due_at <= clock_timestamp() AT TIME ZONE 'UTC'
 )`,
};

const CLAIM: Statement = {
  name: 'webhooks_claim',
  text: `
SELECT id::text AS id, attempt, event_id::text AS event_id, type, data::text AS data,
       (extract(epoch FROM created_at) * 1000)::bigint::text AS created_ms
  FROM services.claim_webhooks(
      p_webhook => $1::uuid, p_limit => $2::integer, p_lease_ms => $3::integer, p_most => $4::integer
  )`,
};

const FINISH: Statement = {
  name: 'webhook_finish',
  text: `
SELECT services.finish_webhook(
    p_id => $1::uuid, p_attempt => $2::integer, p_status_code => $3::integer, p_reason => $4::text, p_due_ms => $5::integer
  )::text AS done`,
};

const MEASURE: Statement = {
  name: 'webhooks_measure',
  text: `
SELECT count(*)::text AS waiting,
       greatest(coalesce(extract(epoch FROM clock_timestamp() AT TIME ZONE 'UTC' - min(d.created_at)), 0), 0)::integer::text AS oldest
  FROM services.webhook_deliveries d
 WHERE d.due_at IS NOT NULL`,
};
