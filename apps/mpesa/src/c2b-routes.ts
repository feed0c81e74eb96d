import { addCallbackScope } from '@repo/http';
import type { CallbackScopeOptions, Server } from '@repo/http';
import type { C2bMetrics } from './c2b-metrics.ts';
import { CONFIRMATION_SCHEMA, VALIDATION_SCHEMA } from './c2b-schemas.ts';
import { takeConfirmation } from './confirmation.ts';
import type { AppDependencies } from './dependencies.ts';
import { createStrayKeeper } from './receive-callback.ts';
import type { CallbackReceiver } from './receive-callback.ts';
import { answerValidation } from './validation.ts';

/** M-PESA waits about eight seconds for the answer to a validation, which has two steps. */
const USUAL_DEADLINE_MS = 3_000;

/** Requests below these paths come from M-PESA, or from another holder of the token. */
export const C2B_ROOTS: readonly string[] = ['/c2b'];

export const ACKNOWLEDGED = { ResultCode: 0, ResultDesc: 'Accepted' } as const;

/** Adds the two routes that M-PESA calls. They are never rate-limited: a 429 would be a lost payment. */
export async function addC2bRoutes(
  { app, admit }: Pick<Server, 'admit' | 'app'>,
  deps: AppDependencies,
  { metrics, receive }: { readonly metrics: C2bMetrics; readonly receive: CallbackReceiver },
): Promise<void> {
  const { intake, settings } = deps;
  // Room was made for a callback when it was admitted; here it is not refused again.
  const db = deps.db.patient;
  const options: CallbackScopeOptions = {
    roots: C2B_ROOTS,
    token: settings.callbackToken,
    admit,
    keepStray: createStrayKeeper(deps, { receive, metrics }),
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
