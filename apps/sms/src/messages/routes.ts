import { DaftariError, findSms, queueSms, smsHistory } from '@repo/db';
import { callerOf, lowerCase, optionalIdempotencyHeaders, problemResponse } from '@repo/http';
import type { HttpServer } from '@repo/http';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { RouteContext } from '../dependencies.ts';
import { eventBody, eventSchema, messageBody, messageSchema } from './view.ts';
import { KEY_PROBLEMS, secured } from '../responses.ts';

/** A text that the database can hold: no NUL, and no half of a character. */
const wellFormed = (text: string) => text.isWellFormed() && !text.includes('\0');

const queuedSchema = z
  .object({ id: z.string(), status: z.enum(['pending', 'sent', 'failed']) })
  .meta({ id: 'QueuedMessage' });

const QUEUE_SCHEMA = {
  operationId: 'queueMessage',
  ...secured('messages', 'Queues a message. It is sent as soon as its turn comes.'),
  headers: optionalIdempotencyHeaders,
  body: z
    .strictObject({
      recipient: z
        .string()
        .min(1)
        .max(100)
        .describe("a Kenyan mobile number in any form, digits with a country code, or a payer's SHA-256"),
      message: z.string().min(1).max(1_530).refine(wellFormed, 'must be well-formed text without NUL'),
      template: z
        .string()
        .regex(/^[a-z0-9_-]{1,40}$/, 'must be 1 to 40 small letters, digits, _ or -')
        .optional()
        .describe('what kind of message it is, for the cost report; `message` when absent'),
      language: z.enum(['en', 'sw']).optional(),
      priority: z
        .enum(['important', 'unimportant'])
        .optional()
        .describe("unimportant messages wait when the day's budget is spent; important when absent"),
      transactionReference: z
        .string()
        .min(1)
        .max(50)
        .refine(wellFormed, 'must be well-formed text without NUL')
        .optional(),
    })
    .meta({ examples: [{ recipient: '0712345678', message: 'Your order is ready.', template: 'order' }] }),
  response: {
    202: queuedSchema.describe(
      'It is queued; `failed` at once when nothing can ever be sent to the recipient.',
    ),
    200: queuedSchema.describe('It was queued before, for the same key; this is its status now.'),
    ...KEY_PROBLEMS,
    409: problemResponse('`key_reused`: the key was used for another message.'),
    422: problemResponse('A field is missing, unknown or wrong.'),
  },
};

const SHOW_SCHEMA = {
  operationId: 'getMessage',
  ...secured('messages', 'A message, what became of it, and what it cost.'),
  params: z.object({ id: z.string() }),
  response: {
    200: messageSchema
      .extend({
        message: z.string().optional().describe('the text; only for keys with the scope admin'),
        decisionNote: z.string().nullable().optional().describe('only for keys with the scope admin'),
        history: z
          .array(eventSchema)
          .optional()
          .describe('retries, unknown outcomes, decisions; only for keys with the scope admin'),
      })
      .meta({ id: 'MessageWithHistory' }),
    ...KEY_PROBLEMS,
    404: problemResponse('`unknown_sms`: no message has this id.'),
  },
};

/** Adds the routes that queue a message and show it. */
export function addMessageRoutes(app: HttpServer, { db, requireKey }: RouteContext): void {
  const queue = { onRequest: requireKey('transact'), schema: QUEUE_SCHEMA };
  app.post('/messages', queue, async (request, reply) => {
    const { recipient, message, template, language, priority, transactionReference } = request.body;
    const key = request.headers['idempotency-key'];
    const { id, status, replayed } = await queueSms(db, {
      recipient,
      message,
      priority: priority === 'unimportant' ? 1 : 0,
      ...(template === undefined ? {} : { template }),
      ...(language === undefined ? {} : { language }),
      ...(transactionReference === undefined ? {} : { transactionReference }),
      ...(key === undefined ? {} : { idempotencyKey: key }),
    });
    return reply.code(replayed ? 200 : 202).send({ id, status: lowerCase(status) });
  });

  app.get('/messages/:id', { onRequest: requireKey('read'), schema: SHOW_SCHEMA }, async (request) => {
    const sms = await findSms(db, request.params.id);
    if (sms === null) throw new DaftariError('unknown_sms');
    const isAdmin = hasScope(request, 'admin');
    const body = messageBody(sms, { showsNumber: isAdmin });
    if (!isAdmin) return body;
    // Callers who only follow messages up need neither the number nor the text, which names people and balances.
    const history = await smsHistory(db, sms.id);
    return {
      ...body,
      message: sms.message,
      decisionNote: sms.decisionNote,
      history: history.map(eventBody),
    };
  });
}

/** Whether the key that a request came with may do this. */
export function hasScope(request: FastifyRequest, scope: string): boolean {
  const scopes = callerOf(request)?.scopes ?? [];
  return scopes.includes('*') || scopes.includes(scope);
}
