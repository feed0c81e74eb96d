import { listWebhookDeliveries, resendWebhookDelivery, WEBHOOK_EVENTS } from '@repo/db';
import type { WebhookDelivery, WebhookDeliveryStatus } from '@repo/db';
import {
  csvAnswer,
  cursorParameter,
  jsonOrCsv,
  lowerCase,
  pageSchema,
  prefersCsv,
  problemResponse,
  wordParameter,
} from '@repo/http';
import type { HttpServer } from '@repo/http';
import { z } from 'zod';
import type { RouteContext } from '../dependencies.ts';
import { KEY_PROBLEMS } from '../key-problems.ts';
import { callerNameOf } from '../release-routes.ts';

const STATUSES = [
  'pending',
  'delivered',
  'failed',
] as const satisfies readonly Lowercase<WebhookDeliveryStatus>[];

const item = z
  .object({
    id: z.string(),
    eventId: z.string().describe('`webhook-id` of its messages, the same in every attempt'),
    webhookId: z.string(),
    event: z.enum(WEBHOOK_EVENTS),
    status: z.enum(STATUSES).describe('failed: it is not tried again unless a person resends it'),
    attempts: z.number().int(),
    dueAt: z.iso.datetime().nullable().describe('when it is tried next; null when it is not'),
    statusCode: z.number().int().nullable().describe('what the endpoint answered last'),
    reason: z.string().nullable().describe('why the last attempt was no delivery'),
    createdAt: z.iso.datetime(),
    updatedAt: z.iso.datetime(),
    resentBy: z.string().nullable().describe('who had it sent again last'),
  })
  .meta({ id: 'WebhookDelivery' });

type Item = z.output<typeof item>;

const TAGS = ['webhooks'];
const SECURITY = [{ apiKey: [] }];

const LIST_SCHEMA = {
  operationId: 'listWebhookDeliveries',
  tags: TAGS,
  summary: 'Events on their way to endpoints, the latest first.',
  description: 'JSON, or CSV with `Accept: text/csv`.',
  security: SECURITY,
  querystring: z.strictObject({
    status: wordParameter(STATUSES).optional(),
    event: wordParameter(WEBHOOK_EVENTS).optional(),
    webhook: z.string().optional().describe('`id` of an endpoint'),
    cursor: cursorParameter,
    limit: z.coerce.number().int().min(1).max(1_000).default(50),
  }),
  response: {
    200: jsonOrCsv('A page of deliveries.', pageSchema('WebhookDeliveryPage', item)),
    ...KEY_PROBLEMS,
    406: problemResponse('There is JSON and CSV.'),
    422: problemResponse('A parameter is unknown or wrong.'),
  },
};

const RESEND_SCHEMA = {
  operationId: 'resendWebhookDelivery',
  tags: TAGS,
  summary: 'Has an event delivered again, with the same id and content.',
  security: SECURITY,
  params: z.object({ id: z.string().describe('`id` of the list') }),
  response: {
    202: z.object({ id: z.string() }).meta({ id: 'WebhookResend' }).describe('It is sent at once.'),
    ...KEY_PROBLEMS,
    404: problemResponse('`unknown_delivery`: no delivery has this id.'),
    409: problemResponse('`webhook_disabled`: its endpoint gets nothing more.'),
  },
};

/** Adds the list of deliveries, and the way to have one made again. */
export function addDeliveryRoutes(app: HttpServer, { db, reads, requireKey }: RouteContext): void {
  app.get(
    '/webhook-deliveries',
    { onRequest: requireKey('read'), schema: LIST_SCHEMA },
    async (request, reply) => {
      const isCsv = prefersCsv(request);
      const { status, event, webhook, cursor, limit } = request.query;
      const asked = {
        limit,
        ...(status === undefined ? {} : { status: status.toUpperCase() as WebhookDeliveryStatus }),
        ...(event === undefined ? {} : { type: event }),
        ...(webhook === undefined ? {} : { webhook }),
        ...(cursor === undefined ? {} : { cursor }),
      };
      const page = await reads.current((handle) => listWebhookDeliveries(handle, asked));
      const items = page.items.map(itemBody);
      const { nextCursor } = page;
      if (isCsv) {
        return csvAnswer(reply, { name: 'webhook-deliveries', columns: COLUMNS, rows: items, nextCursor });
      }
      return { items, nextCursor };
    },
  );

  const resend = { onRequest: requireKey('admin'), schema: RESEND_SCHEMA };
  app.post('/webhook-deliveries/:id/resend', resend, async (request, reply) => {
    const { id } = request.params;
    await resendWebhookDelivery(db, { id, by: callerNameOf(request) });
    request.log.info({ delivery: id }, 'a person has an event delivered again');
    return reply.code(202).send({ id });
  });
}

function itemBody({ type, status, dueAt, createdAt, updatedAt, ...rest }: WebhookDelivery): Item {
  return {
    ...rest,
    event: type,
    status: lowerCase(status),
    dueAt: dueAt?.toISOString() ?? null,
    createdAt: createdAt.toISOString(),
    updatedAt: updatedAt.toISOString(),
  };
}

const COLUMNS = {
  id: (each: Item) => each.id,
  eventId: (each: Item) => each.eventId,
  webhookId: (each: Item) => each.webhookId,
  event: (each: Item) => each.event,
  status: (each: Item) => each.status,
  attempts: (each: Item) => String(each.attempts),
  dueAt: (each: Item) => each.dueAt,
  statusCode: (each: Item) => (each.statusCode === null ? null : String(each.statusCode)),
  reason: (each: Item) => each.reason,
  createdAt: (each: Item) => each.createdAt,
  updatedAt: (each: Item) => each.updatedAt,
  resentBy: (each: Item) => each.resentBy,
};
