import { arrayLiteral } from '../connection/array-literal.ts';
import { query, read } from '../connection/handle.ts';
import type { Handle, Statement } from '../connection/handle.ts';
import { DaftariError } from '../errors.ts';
import { isUuid, requireText } from '../request.ts';

/** What an endpoint can get. A payment is one that we asked for; a deposit is any payment that M-PESA reported. */
export const WEBHOOK_EVENTS = [
  'deposit.credited',
  'deposit.suspense',
  'deposit.held',
  'deposit.conflict',
  'deposit.refused',
  'deposit.assigned',
  'deposit.moved',
  'deposit.corrected',
  'deposit.reversed',
  'deposit.refund_marked',
  'deposit.refund_unmarked',
  'payment.paid',
  'payment.failed',
] as const;
export type WebhookEventType = (typeof WEBHOOK_EVENTS)[number];

/** An endpoint of an app. */
export interface Webhook {
  readonly id: string;
  readonly url: string;
  readonly events: readonly WebhookEventType[];
  readonly description: string | null;
  readonly status: 'ACTIVE' | 'DISABLED';
  readonly createdBy: string;
  readonly createdAt: Date;
  readonly disabledBy: string | null;
  readonly disabledAt: Date | null;
  /** `by_person`, or `gone` where the endpoint answered so. */
  readonly disabledFor: string | null;
}

export interface NewWebhook {
  readonly url: string;
  readonly events: readonly WebhookEventType[];
  readonly description?: string;
  /** What signs its messages, sealed: the database never has it in the clear. */
  readonly sealedSecret: Uint8Array;
  readonly by: string;
}

/**
 * Registers an endpoint. It gets what is recorded from the next transaction on.
 *
 * @returns its id
 * @throws DaftariError `invalid_request` naming the field; `webhook_exists`
 */
export async function registerWebhook(db: Handle, request: NewWebhook): Promise<string> {
  const { url, events, description, sealedSecret, by } = request;
  requireText('url', url, 2_000);
  requireText('by', by, 100);
  if (description !== undefined) requireText('description', description, 200);
  const isValid = events.length > 0 && events.every((each) => WEBHOOK_EVENTS.includes(each));
  if (!isValid) throw new DaftariError('invalid_request', { field: 'events' });
  const wanted = arrayLiteral([...new Set(events)].toSorted());
  const values = [url, wanted, description ?? null, sealedSecret, by];
  const [row] = await query<{ id: string | null }>(db, REGISTER, values);
  if (row === undefined) throw new DaftariError('database_error');
  if (row.id === null) throw new DaftariError('webhook_exists');
  return row.id;
}

/** All endpoints, the latest first; at most 1,000. */
export async function listWebhooks(db: Handle): Promise<Webhook[]> {
  const rows = await read(
    db.prisma.webhook.findMany({ omit: { secret: true }, orderBy: { id: 'desc' }, take: 1_000 }),
  );
  return rows.map(({ events, status, ...rest }) => ({
    ...rest,
    events: events as WebhookEventType[],
    status: status as Webhook['status'],
  }));
}

/**
 * Ends an endpoint: it gets nothing more, and its secret is gone. Repeated it does nothing.
 *
 * @throws DaftariError `unknown_webhook`
 */
export async function disableWebhook(
  db: Handle,
  { id, by, reason }: { readonly id: string; readonly by: string; readonly reason: 'by_person' | 'gone' },
): Promise<void> {
  const [row] = isUuid(id) ? await query<{ known: boolean }>(db, DISABLE, [id, by, reason]) : [];
  if (row?.known !== true) throw new DaftariError('unknown_webhook');
}

const REGISTER: Statement = {
  name: 'webhook_register',
  text: `
SELECT services.register_webhook(
    p_url => $1::text, p_events => $2::text[], p_description => $3::text, p_secret => $4::bytea, p_by => $5::text
  )::text AS id`,
};

const DISABLE: Statement = {
  name: 'webhook_disable',
  text: `SELECT services.disable_webhook(p_id => $1::uuid, p_by => $2::text, p_reason => $3::text) AS known`,
};
