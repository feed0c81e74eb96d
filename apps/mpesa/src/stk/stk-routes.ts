import { addCallbackScope } from '@repo/http';
import type { Server } from '@repo/http';
import type { FastifyRequest } from 'fastify';
import { ACKNOWLEDGED } from '../c2b-routes.ts';
import type { C2bMetrics } from '../c2b-metrics.ts';
import type { AppDependencies } from '../dependencies.ts';
import { createStrayKeeper } from '../receive-callback.ts';
import type { CallbackReceiver } from '../receive-callback.ts';
import { takeStatusResult, takeStatusTimeout } from './status-result.ts';
import { takeStkCallback } from './stk-callback.ts';
import type { StkContext } from './stk-callback.ts';
import { NAMED_STK_SCHEMA, STATUS_RESULT_SCHEMA, STATUS_TIMEOUT_SCHEMA, STK_SCHEMA } from './stk-schemas.ts';

/** Requests below these paths come from M-PESA, or from another holder of the token. */
export const STK_ROOTS: readonly string[] = ['/stk', '/status'];

/** A receipt that proves nothing is asked about after this time: M-PESA may not know it sooner. */
const INQUIRE_MS = 5_000;

/** Adds the routes to which M-PESA sends what we asked for. They are never rate-limited: a 429 would be a lost payment. */
export async function addStkRoutes(
  { app, admit }: Pick<Server, 'admit' | 'app'>,
  deps: AppDependencies,
  { metrics, receive }: { readonly metrics: C2bMetrics; readonly receive: CallbackReceiver },
): Promise<void> {
  const { payments, daraja, settings } = deps;
  // Room was made for a callback when it was admitted; here it is not refused again.
  const db = deps.db.patient;
  const canInquire = daraja !== null && daraja.settings.initiator !== null;
  const contextOf = ({ log }: FastifyRequest): StkContext => ({
    db,
    payments,
    metrics,
    log,
    inquireMs: canInquire ? INQUIRE_MS : null,
  });
  const options = {
    roots: STK_ROOTS,
    token: settings.callbackToken,
    admit,
    keepStray: createStrayKeeper(deps, { receive, metrics }),
  };
  const receivers = daraja === null ? [] : [daraja.settings.shortCode, daraja.settings.till ?? ''];

  await addCallbackScope(app, options, (scope) => {
    scope.post('/stk/:token/callback', { schema: STK_SCHEMA }, async (request) => {
      await takeStkCallback(contextOf(request), await receive(request, 'STK_CALLBACK'), null);
      return ACKNOWLEDGED;
    });
    scope.post('/stk/:token/callback/:payment', { schema: NAMED_STK_SCHEMA }, async (request) => {
      const { payment } = request.params;
      await takeStkCallback(contextOf(request), await receive(request, 'STK_CALLBACK'), payment);
      return ACKNOWLEDGED;
    });
    scope.post('/status/:token/result/:inquiry', { schema: STATUS_RESULT_SCHEMA }, async (request) => {
      const { inquiry } = request.params;
      const context = { ...contextOf(request), receivers };
      await takeStatusResult(context, await receive(request, 'STATUS_RESULT'), inquiry);
      return ACKNOWLEDGED;
    });
    scope.post('/status/:token/timeout/:inquiry', { schema: STATUS_TIMEOUT_SCHEMA }, async (request) => {
      await takeStatusTimeout(contextOf(request), await receive(request, 'STATUS_RESULT'));
      return ACKNOWLEDGED;
    });
  });
}
