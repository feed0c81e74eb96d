import { query } from '../connection/handle.ts';
import type { Handle, Statement } from '../connection/handle.ts';
import { DaftariError } from '../errors.ts';
import { isUuid } from '../request.ts';
import type { WebhookEventType } from './webhooks.ts';

export type WebhookDeliveryStatus = 'PENDING' | 'DELIVERED' | 'FAILED';

/** An event and how far its delivery to one endpoint is. */
export interface WebhookDelivery {
  readonly id: string;
  readonly eventId: string;
  readonly webhookId: string;
  readonly type: WebhookEventType;
  readonly status: WebhookDeliveryStatus;
  readonly attempts: number;
  /** When it is tried next; null when it is not. */
  readonly dueAt: Date | null;
  /** What the endpoint answered last; null when nothing came. */
  readonly statusCode: number | null;
  /** Why the last attempt was no delivery. */
  readonly reason: string | null;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  /** Who had it sent again last. */
  readonly resentBy: string | null;
}

export interface WebhookDeliveryPage {
  /** The latest first. */
  readonly items: readonly WebhookDelivery[];
  /** For the next page; null on the last one. */
  readonly nextCursor: string | null;
}

export interface WebhookDeliveryRequest {
  readonly status?: WebhookDeliveryStatus;
  readonly type?: WebhookEventType;
  readonly webhook?: string;
  readonly cursor?: string;
  /** Deliveries a page, 1 to 1,000. Default: 50. */
  readonly limit?: number;
}

/**
 * Deliveries, page by page. A page does not shift when others come.
 *
 * @throws DaftariError `invalid_request` naming the field
 */
export async function listWebhookDeliveries(
  db: Handle,
  request: WebhookDeliveryRequest = {},
): Promise<WebhookDeliveryPage> {
  const { status, type, webhook, cursor, limit: asked = 50 } = request;
  for (const [field, id] of Object.entries({ webhook, cursor })) {
    if (id !== undefined && !isUuid(id)) throw new DaftariError('invalid_request', { field });
  }
  if (!Number.isInteger(asked)) throw new DaftariError('invalid_request', { field: 'limit' });
  const limit = Math.min(Math.max(asked, 1), 1_000);
  const values = [status ?? null, type ?? null, webhook ?? null, cursor ?? LAST, limit + 1];
  const rows = await query<DeliveryRow>(db, LIST, values);
  const items = rows.slice(0, limit).map(deliveryOf);
  return { items, nextCursor: rows.length > limit ? (items.at(-1)?.id ?? null) : null };
}

/**
 * Has an event delivered again, with the same id and content.
 *
 * @throws DaftariError `unknown_delivery`; `webhook_disabled`
 */
export async function resendWebhookDelivery(
  db: Handle,
  { id, by }: { readonly id: string; readonly by: string },
): Promise<void> {
  if (!isUuid(id)) throw new DaftariError('unknown_delivery');
  const [row] = await query<{ reason: 'unknown_delivery' | 'webhook_disabled' | null }>(db, RESEND, [id, by]);
  if (row === undefined) throw new DaftariError('database_error');
  if (row.reason !== null) throw new DaftariError(row.reason);
}

/** Behind everything. */
const LAST = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

interface DeliveryRow extends Omit<WebhookDelivery, 'dueAt' | 'createdAt' | 'updatedAt'> {
  readonly due_ms: string | null;
  readonly created_ms: string;
  readonly updated_ms: string;
}

function deliveryOf({
  due_ms: due,
  created_ms: created,
  updated_ms: updated,
  ...row
}: DeliveryRow): WebhookDelivery {
  return {
    ...row,
    dueAt: due === null ? null : new Date(Number(due)),
    createdAt: new Date(Number(created)),
    updatedAt: new Date(Number(updated)),
  };
}

const LIST: Statement = {
  name: 'webhook_delivery_list',
  text: `
SELECT d.id::text AS id, d.event_id::text AS "eventId", d.webhook_id::text AS "webhookId", e.type, d.status,
       d.attempts::integer AS attempts, d.status_code::integer AS "statusCode", d.reason, d.resent_by AS "resentBy",
       (extract(epoch FROM d.due_at) * 1000)::bigint::text AS due_ms,
       (extract(epoch FROM d.created_at) * 1000)::bigint::text AS created_ms,
       (extract(epoch FROM d.updated_at) * 1000)::bigint::text AS updated_ms
  FROM services.webhook_deliveries d
  JOIN services.webhook_events e ON e.id = d.event_id
 WHERE ($1::text IS NULL OR d.status = $1) AND ($2::text IS NULL OR e.type = $2)
   AND ($3::uuid IS NULL OR d.webhook_id = $3::uuid) AND d.id < $4::uuid
 ORDER BY d.id DESC
 LIMIT $5::integer`,
};

const RESEND: Statement = {
  name: 'webhook_resend',
  text: `SELECT reason FROM services.resend_webhook(p_id => $1::uuid, p_by => $2::text)`,
};
