import { addCallbackScope, problemResponse, rawBodyOf } from '@repo/http';
import type { CallbackScopeOptions, RawBody, Server } from '@repo/http';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { quarantine, refuseDamaged, takeDeliveryReport, takeOptOut } from './take-callback.ts';
import type { CallbackContext } from './take-callback.ts';
import type { AppDependencies } from '../dependencies.ts';
import type { SmsMetrics } from '../sms-metrics.ts';

const COMMON = {
  tags: ['callbacks'],
  params: z.object({
    token: z.string().describe('SMS_CALLBACK_TOKEN; a wrong one is answered like an unknown path'),
  }),
  response: {
    200: z.object({ status: z.literal('stored') }).meta({ id: 'StoredCallback' }),
    413: problemResponse('The body is over 64 KiB; its beginning was kept.'),
    503: problemResponse('Nothing could be stored. The message does not count as delivered.'),
  },
};

const REPORT_SCHEMA = {
  operationId: 'reportDelivery',
  ...COMMON,
  summary: 'The provider reports what became of a message.',
  description: 'A form or JSON. Answered when the report is committed, whatever came of it.',
};

const OPT_OUT_SCHEMA = {
  operationId: 'recordOptOut',
  ...COMMON,
  summary: 'A customer wants no more messages.',
  description: 'Unimportant messages are not sent to this number any more; news of money is.',
};

const STORED = { status: 'stored' } as const;

/** Below these everything comes from the provider, or from others who have the token. */
export const CALLBACK_ROOTS: readonly string[] = ['/delivery-reports', '/opt-outs'];

/** Adds the two routes that the provider calls. They are never rate-limited: a 429 would be a lost report. */
export async function addCallbackRoutes(
  { app, admit }: Pick<Server, 'admit' | 'app'>,
  { db, callbacks, settings }: AppDependencies,
  metrics: SmsMetrics,
): Promise<void> {
  const contextOf = (request: FastifyRequest): CallbackContext => ({
    // Room was made for a callback when it was admitted; here it is not refused again.
    db: db.patient,
    callbacks,
    metrics,
    log: request.log,
  });

  async function bodyOf(request: FastifyRequest): Promise<RawBody> {
    const body = rawBodyOf(request);
    await refuseDamaged(contextOf(request), body);
    return body;
  }

  const options: CallbackScopeOptions = {
    roots: CALLBACK_ROOTS,
    token: settings.callbackToken,
    admit,
    keepStray: async (request, reason) => {
      await quarantine(contextOf(request), await bodyOf(request), { reason });
    },
  };

  await addCallbackScope(app, options, (scope) => {
    const report = { ...REPORT_SCHEMA, body: callbacks.fields.report };
    scope.post('/delivery-reports/:token', { schema: report }, async (request) => {
      await takeDeliveryReport(contextOf(request), await bodyOf(request));
      return STORED;
    });

    const optOut = { ...OPT_OUT_SCHEMA, body: callbacks.fields.optOut };
    scope.post('/opt-outs/:token', { schema: optOut }, async (request) => {
      await takeOptOut(contextOf(request), await bodyOf(request));
      return STORED;
    });
  });
}
