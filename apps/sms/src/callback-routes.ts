import { createSecretCheck, httpProblem, problemResponse, takeRawBodies } from '@repo/http';
import type { HttpServer, RawBody } from '@repo/http';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { takeDeliveryReport, takeOptOut, refuseTooLarge } from './callbacks.ts';
import type { CallbackContext } from './callbacks.ts';
import type { AppDependencies } from './dependencies.ts';
import type { SmsMetrics } from './sms-metrics.ts';

/** The largest callback that is read as a message: real ones have 200 bytes. */
const maxCallbackBytes = 65_536;

const common = {
  tags: ['callbacks'],
  params: z.object({
    token: z.string().describe('SMS_CALLBACK_TOKEN; a wrong one is answered like an unknown path'),
  }),
  response: {
    200: z.object({ status: z.literal('stored') }),
    413: problemResponse('The body is over 64 KiB; its beginning was kept.'),
    503: problemResponse('Nothing could be stored. The message does not count as delivered.'),
  },
};

const reportSchema = {
  ...common,
  summary: 'The provider reports what became of a message.',
  description: 'A form or JSON. Answered when the report is committed, whatever came of it.',
  // For the description only: whatever really comes is taken as bytes.
  body: z.looseObject({
    id: z.string().describe("the provider's id of the message"),
    status: z.string().describe('Sent, Submitted, Buffered, Rejected, Success, Failed ...'),
    phoneNumber: z.string().optional(),
    networkCode: z.string().optional(),
    failureReason: z.string().optional(),
    retryCount: z.string().optional(),
  }),
};

const optOutSchema = {
  ...common,
  summary: 'A customer wants no more messages.',
  description: 'Unimportant messages are not sent to this number any more; news of money is.',
  body: z.looseObject({ senderId: z.string().optional(), phoneNumber: z.string() }),
};

const stored = { status: 'stored' } as const;

/** Adds the two routes that the provider calls. They are never rate-limited: a 429 would be a lost report. */
export async function addCallbackRoutes(
  app: HttpServer,
  { db, settings }: AppDependencies,
  metrics: SmsMetrics,
): Promise<void> {
  const isToken = createSecretCheck(settings.callbackToken);
  const contextOf = (request: FastifyRequest): CallbackContext => ({ db, metrics, log: request.log });

  async function bodyOf(request: FastifyRequest): Promise<RawBody> {
    const body = request.body as RawBody;
    if (body.isCut) await refuseTooLarge(contextOf(request), body);
    return body;
  }

  await app.register((scope: HttpServer, _options, done) => {
    scope.addHook('onRequest', (request, _reply, next) => {
      const { token } = request.params as { token: string };
      next(isToken(token) ? undefined : httpProblem('not_found'));
    });
    takeRawBodies(scope, maxCallbackBytes);
    // The schemas describe; nothing is refused by them.
    scope.setValidatorCompiler(() => (value: unknown) => ({ value }));

    scope.post('/delivery-reports/:token', { schema: reportSchema }, async (request) => {
      await takeDeliveryReport(contextOf(request), await bodyOf(request));
      return stored;
    });

    scope.post('/opt-outs/:token', { schema: optOutSchema }, async (request) => {
      await takeOptOut(contextOf(request), await bodyOf(request));
      return stored;
    });
    done();
  });
}
