import type { FastifyRequest } from 'fastify';
import type { C2bMetrics } from './c2b-metrics.ts';
import { callbackOf } from './callback.ts';
import type { Callback } from './callback.ts';
import type { AppDependencies } from './dependencies.ts';
import { findReceipt } from './message/receipt.ts';
import { quarantine, refuseDamaged, refuseSource } from './quarantine.ts';
import type { CallbackContext } from './quarantine.ts';
import { createSourceCheck } from './source-check.ts';

export type CallbackReceiver = (request: FastifyRequest, kind: Callback['kind']) => Promise<Callback>;

/** Builds what all routes do first: see where a callback comes from, and that it came whole and is not too large. */
export function createReceiver(
  { db: { patient: db }, settings }: AppDependencies,
  metrics: C2bMetrics,
): CallbackReceiver {
  const checkSource = createSourceCheck(settings.sourceCheck);
  return async (request, kind) => {
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

/** Keeps what came with the right token to no route of ours. */
export function createStrayKeeper(
  { db: { patient: db } }: AppDependencies,
  { receive, metrics }: { readonly receive: CallbackReceiver; readonly metrics: C2bMetrics },
) {
  return async (request: FastifyRequest, reason: 'unknown_path' | 'method_not_post'): Promise<void> => {
    const callback = await receive(request, 'UNKNOWN');
    const receipt = findReceipt(callback.body.bytes);
    await quarantine({ db, metrics, log: request.log }, callback, { reason, receipt });
  };
}
