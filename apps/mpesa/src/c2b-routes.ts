import { addCallbackScope } from '@repo/http';
import type { CallbackScopeOptions, Server } from '@repo/http';
import type { FastifyRequest } from 'fastify';
import type { C2bMetrics } from './c2b-metrics.ts';
import { callbackOf } from './callback.ts';
import type { Callback } from './callback.ts';
import { CONFIRMATION_SCHEMA, VALIDATION_SCHEMA } from './c2b-schemas.ts';
import { takeConfirmation } from './confirmation.ts';
import type { AppDependencies } from './dependencies.ts';
import { findReceipt } from './message/receipt.ts';
import { quarantine, refuseDamaged, refuseSource } from './quarantine.ts';
import type { CallbackContext } from './quarantine.ts';
import { createSourceCheck } from './source-check.ts';
import { answerValidation } from './validation.ts';

/** M-PESA waits about eight seconds for the answer to a validation, which has two steps. */
const USUAL_DEADLINE_MS = 3_000;

/** Requests below these paths come from M-PESA, or from another holder of the token. */
export const CALLBACK_ROOTS: readonly string[] = ['/c2b'];

const ACKNOWLEDGED = { ResultCode: 0, ResultDesc: 'Accepted' } as const;

/** Adds the two routes that M-PESA calls. They are never rate-limited: a 429 would be a lost payment. */
export async function addC2bRoutes(
  { app, admit }: Pick<Server, 'admit' | 'app'>,
  deps: AppDependencies,
  metrics: C2bMetrics,
): Promise<void> {
  const { intake, settings } = deps;
  // Room was made for a callback when it was admitted; here it is not refused again.
  const db = deps.db.patient;
  const receive = createReceiver(deps, metrics);
  const options: CallbackScopeOptions = {
    roots: CALLBACK_ROOTS,
    token: settings.callbackToken,
    admit,
    keepStray: async (request, reason) => {
      const callback = await receive(request, 'UNKNOWN');
      const receipt = findReceipt(callback.body.bytes);
      await quarantine({ db, metrics, log: request.log }, callback, { reason, receipt });
    },
  };

  await addCallbackScope(app, options, (scope) => {
    scope.post('/c2b/:token/confirmation', { schema: CONFIRMATION_SCHEMA }, async (request) => {
      const callback = await receive(request, 'C2B_CONFIRMATION');
      await takeConfirmation({ db, intake, metrics, log: request.log }, callback);
      return ACKNOWLEDGED;
    });

    scope.post('/c2b/:token/validation', { schema: VALIDATION_SCHEMA }, async (request) => {
      const callback = await receive(request, 'C2B_VALIDATION');
      const isStrict = settings.validation === 'strict';
      const deadlineMs = settings.validationDeadlineMs ?? USUAL_DEADLINE_MS;
      const { maxAmount = '10000000.00' } = settings;
      return answerValidation({ db, metrics, log: request.log, isStrict, maxAmount, deadlineMs }, callback);
    });
  });
}

/** Builds what all routes do first: see where a callback comes from, and that it came whole and is not too large. */
function createReceiver({ db: { patient: db }, settings }: AppDependencies, metrics: C2bMetrics) {
  const checkSource = createSourceCheck(settings.sourceCheck);
  return async (request: FastifyRequest, kind: Callback['kind']): Promise<Callback> => {
    const context: CallbackContext = { db, metrics, log: request.log };
    const callback = callbackOf(request, kind);
    const { allowed, isListed, isNews } = checkSource(callback.source);
    if (!isListed) metrics.unlistedSources.inc();
    if (isNews) {
      const { source } = callback;
      request.log.warn(
        { source, allowed },
        'a callback from an address that is not in MPESA_SOURCE_ALLOWLIST',
      );
    }
    if (!allowed) await refuseSource(context, callback);
    await refuseDamaged(context, callback);
    return callback;
  };
}
