import { storeCallback } from '@repo/db';
import type { Db } from '@repo/db';
import { httpProblem } from '@repo/http';
import type { FastifyBaseLogger } from 'fastify';
import type { C2bMetrics } from './c2b-metrics.ts';
import type { Callback } from './callback.ts';
import { unreadableReasons } from './message/reasons.ts';
import type { UnreadableReason } from './message/reasons.ts';
import { unavailable } from './problems.ts';

/** What the handlers of callbacks work with. */
export interface CallbackContext {
  readonly db: Db;
  readonly metrics: C2bMetrics;
  readonly log: FastifyBaseLogger;
}

export interface Quarantined {
  readonly reason: UnreadableReason;
  /** The receipt, if at least that could be read. */
  readonly receipt: string | null;
}

/** Keeps a callback that cannot be used, as it came, for people to look at. Throws 503 when it cannot be stored. */
export async function quarantine(
  context: CallbackContext,
  callback: Callback,
  { reason, receipt }: Quarantined,
): Promise<void> {
  const { kind, source, body } = callback;
  try {
    await storeCallback(context.db, {
      kind,
      receipt,
      outcome: 'QUARANTINED',
      error: reason,
      source,
      body: body.bytes,
    });
  } catch (error) {
    throw unavailable(error);
  }
  context.metrics.quarantined.inc({ reason });
  context.log.warn({ kind, receipt, reason }, unreadableReasons[reason]);
}

/** Keeps the beginning of a body that is too large and refuses the request with 413. */
export async function refuseTooLarge(context: CallbackContext, callback: Callback): Promise<never> {
  await quarantine(context, callback, { reason: 'body_too_large', receipt: null });
  throw httpProblem('body_too_large', {
    detail: 'A callback has at most 64 KiB. The beginning was kept.',
    headers: { connection: 'close' },
  });
}

/** Keeps a callback from an address that may not call and refuses the request with 403. */
export async function refuseSource(context: CallbackContext, callback: Callback): Promise<never> {
  await quarantine(context, callback, { reason: 'source_not_allowed', receipt: null });
  throw httpProblem('forbidden', { detail: 'This address may not send callbacks.' });
}
