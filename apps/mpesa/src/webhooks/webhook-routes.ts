import { DaftariError, disableWebhook, listWebhooks, registerWebhook, WEBHOOK_EVENTS } from '@repo/db';
import type { Webhook } from '@repo/db';
import { httpProblem, lowerCase, pageSchema, problemResponse } from '@repo/http';
import type { HttpServer } from '@repo/http';
import { z } from 'zod';
import { isPrivateHost } from '../daraja/url-rules.ts';
import type { RouteContext, WebhookSettings } from '../dependencies.ts';
import { KEY_PROBLEMS } from '../key-problems.ts';
import { callerNameOf } from '../release-routes.ts';
import type { Sealing } from '../daraja/sealing.ts';
import { newWebhookSecret } from './signature.ts';
import { webhooksNotConfigured } from './webhook-problems.ts';

const eventNames = z.array(z.enum(WEBHOOK_EVENTS));

const FIELDS = {
  id: z.string(),
  url: z.string(),
  events: eventNames,
  description: z.string().nullable(),
  status: z.enum(['active', 'disabled']),
  createdBy: z.string(),
  createdAt: z.iso.datetime(),
  disabledBy: z.string().nullable(),
  disabledAt: z.iso.datetime().nullable(),
  disabledFor: z.string().nullable().describe('by_person, or gone: the endpoint answered 410'),
};

const item = z.object(FIELDS).meta({ id: 'Webhook' });

const TAGS = ['webhooks'];
const SECURITY = [{ apiKey: [] }];

const REGISTER_SCHEMA = {
  operationId: 'registerWebhook',
  tags: TAGS,
  summary: 'Registers an endpoint that gets events, signed as Standard Webhooks says, at least once.',
  description:
    'It gets what is recorded from now on. The secret is shown this once: if the answer was lost, disable the endpoint and register it again. Production takes public https addresses only.',
  security: SECURITY,
  body: z.strictObject({
    url: z.string().min(1).max(2_000).describe('https, without a user name'),
    events: eventNames.min(1).max(WEBHOOK_EVENTS.length),
    description: z.string().min(1).max(200).optional(),
  }),
  response: {
    201: z
      .object({
        id: z.string(),
        secret: z.string().describe('whsec_ and Base64: what the signatures of its messages are made with'),
      })
      .meta({ id: 'RegisteredWebhook' })
      .describe('It is registered.'),
    400: problemResponse('The body is not JSON.'),
    ...KEY_PROBLEMS,
    409: problemResponse('`webhook_exists`: an active endpoint has this address.'),
    422: problemResponse('The address cannot be used, or an event is unknown.'),
    503: problemResponse('`webhooks_not_configured`, or the database cannot be reached.'),
  },
};

const LIST_SCHEMA = {
  operationId: 'listWebhooks',
  tags: TAGS,
  summary: 'All endpoints, the latest first, without their secrets.',
  security: SECURITY,
  response: {
    200: pageSchema('WebhookPage', item).describe('All of them: `nextCursor` is null.'),
    ...KEY_PROBLEMS,
  },
};

const DISABLE_SCHEMA = {
  operationId: 'disableWebhook',
  tags: TAGS,
  summary: 'Disables an endpoint: it gets nothing more. It stays in the list.',
  security: SECURITY,
  params: z.object({ id: z.string().describe('`id` of the list') }),
  response: {
    204: z.null().describe('It is disabled, now or before.'),
    ...KEY_PROBLEMS,
    404: problemResponse('`unknown_webhook`: no endpoint has this id.'),
  },
};

/** Adds the ways to register, list and disable endpoints. */
export function addWebhookRoutes(
  app: HttpServer,
  { db, requireKey }: RouteContext,
  { sealing, settings }: { readonly sealing: Sealing | null; readonly settings: WebhookSettings | undefined },
): void {
  const register = { onRequest: requireKey('admin'), schema: REGISTER_SCHEMA };
  app.post('/webhooks', register, async (request, reply) => {
    if (sealing === null) throw webhooksNotConfigured();
    const { url: address, events, description } = request.body;
    const url = usableUrl(address, { isPublicOnly: settings?.isPublicOnly ?? true });
    const secret = newWebhookSecret();
    const id = await registerWebhook(db, {
      url,
      events,
      sealedSecret: sealing.seal(secret),
      by: callerNameOf(request),
      ...(description === undefined ? {} : { description }),
    });
    request.log.info({ webhook: id, events }, 'an endpoint was registered');
    return reply.code(201).send({ id, secret });
  });

  app.get('/webhooks', { onRequest: requireKey('admin'), schema: LIST_SCHEMA }, async () => ({
    items: (await listWebhooks(db)).map(itemBody),
    nextCursor: null,
  }));

  const disable = { onRequest: requireKey('admin'), schema: DISABLE_SCHEMA };
  app.delete('/webhooks/:id', disable, async (request, reply) => {
    const { id } = request.params;
    await disableWebhook(db, { id, by: callerNameOf(request), reason: 'by_person' });
    request.log.info({ webhook: id }, 'an endpoint was disabled');
    return reply.code(204).send(null);
  });
}

/**
 * The address as it is stored.
 *
 * @throws DaftariError `invalid_request`; HttpProblem that says what production refuses
 */
function usableUrl(text: string, { isPublicOnly }: { readonly isPublicOnly: boolean }): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  const isHttp = url?.protocol === 'https:' || url?.protocol === 'http:';
  if (url === null || !isHttp || url.username !== '' || url.password !== '') {
    throw new DaftariError('invalid_request', { field: 'url' });
  }
  if (isPublicOnly && (url.protocol !== 'https:' || isPrivateHost(url.hostname))) {
    throw httpProblem('invalid_request', {
      detail: 'Production takes an https address of a public host only. Nothing was registered.',
    });
  }
  url.hash = '';
  return url.href;
}

function itemBody({ status, createdAt, disabledAt, events, ...rest }: Webhook): z.output<typeof item> {
  return {
    ...rest,
    events: [...events],
    status: lowerCase(status),
    createdAt: createdAt.toISOString(),
    disabledAt: disabledAt?.toISOString() ?? null,
  };
}
