import { storeCallback } from '@repo/db';
import type { Handle } from '@repo/db';
import { findDamage, httpProblem, notStored } from '@repo/http';
import type { FastifyBaseLogger } from 'fastify';
import type { C2bMetrics } from './c2b-metrics.ts';
import type { Callback } from './callback.ts';
import { findReceipt } from './message/receipt.ts';
import { UNREADABLE_REASONS } from './message/reasons.ts';
import type { UnreadableReason } from './message/reasons.ts';

/** What the handlers of callbacks work with. */
export interface CallbackContext {
  readonly db: Handle;
  readonly metrics: C2bMetrics;
  readonly log: FastifyBaseLogger;
}

export interface Quarantined {
  readonly reason: UnreadableReason;
  /** The receipt, if at least that could be read. */
  readonly receipt: string | null;
  /** Further facts, such as how much of it was kept. */
  readonly note?: string;
}

/** Keeps a callback that cannot be used, as it came, for people to look at. Throws 503 when it cannot be stored. */
export async function quarantine(
  context: CallbackContext,
  callback: Callback,
  { reason, receipt, note }: Quarantined,
): Promise<void> {
  const { kind, source, body } = callback;
  try {
    await storeCallback(context.db, {
      kind,
      receipt,
      outcome: 'QUARANTINED',
      error: note === undefined ? reason : `${reason}: ${note}`,
      source,
      body: body.bytes,
    });
  } catch (error) {
    throw notStored(error);
  }
  context.metrics.quarantined.inc({ reason });
  context.log.warn({ kind, receipt, reason }, UNREADABLE_REASONS[reason]);
}

/** Keeps what came of a callback that is not whole, and refuses the request; passes every other. */
export async function refuseDamaged(context: CallbackContext, callback: Callback): Promise<void> {
  const damage = findDamage(callback.body);
  if (damage === null) return;
  const { reason, note, refusal } = damage;
  await quarantine(context, callback, { reason, note, receipt: findReceipt(callback.body.bytes) });
  throw refusal;
}

/** Keeps a callback from an address that may not call and refuses the request with 403. */
export async function refuseSource(context: CallbackContext, callback: Callback): Promise<never> {
  await quarantine(context, callback, { reason: 'source_not_allowed', receipt: null });
  throw httpProblem('forbidden', { detail: 'This address may not send callbacks.' });
}
