import { storeCallback } from '@repo/db';
import type { Db } from '@repo/db';
import { httpProblem, notStored } from '@repo/http';
import type { FastifyBaseLogger } from 'fastify';
import type { C2bMetrics } from './c2b-metrics.ts';
import type { Callback } from './callback.ts';
import { findReceipt } from './message/receipt.ts';
import { UNREADABLE_REASONS } from './message/reasons.ts';
import type { UnreadableReason } from './message/reasons.ts';

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

/** Keeps what came of a callback that is too large or broke off, and refuses the request; passes every other. */
export async function refuseDamaged(context: CallbackContext, callback: Callback): Promise<void> {
  const { bytes, isCut, isIncomplete, size } = callback.body;
  if (!isCut && !isIncomplete) return;
  const note = `${String(bytes.length)} of ${String(size)} bytes kept`;
  const receipt = findReceipt(bytes);
  await quarantine(context, callback, {
    reason: isCut ? 'body_too_large' : 'body_incomplete',
    receipt,
    note,
  });
  if (!isCut) throw httpProblem('malformed_request', { detail: 'The body broke off. What came was kept.' });
  throw httpProblem('body_too_large', {
    detail: 'A callback has at most 64 KiB. The beginning was kept.',
    headers: { connection: 'close' },
  });
}

/** Keeps a callback that came to an unknown path, or with another method than POST. */
export async function keepStray(context: CallbackContext, callback: Callback, method: string): Promise<void> {
  const reason = method === 'POST' ? 'unknown_path' : 'method_not_post';
  await quarantine(context, callback, { reason, receipt: findReceipt(callback.body.bytes) });
}

/** Keeps a callback from an address that may not call and refuses the request with 403. */
export async function refuseSource(context: CallbackContext, callback: Callback): Promise<never> {
  await quarantine(context, callback, { reason: 'source_not_allowed', receipt: null });
  throw httpProblem('forbidden', { detail: 'This address may not send callbacks.' });
}
