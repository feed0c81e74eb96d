import { Buffer } from 'node:buffer';
import { DaftariError, findCallback, replayCallback } from '@repo/db';
import type { CallbackItem } from '@repo/db';
import { idempotencyHeaders, problemResponse, requireIdempotencyKey } from '@repo/http';
import type { HttpServer, Server } from '@repo/http';
import { z } from 'zod';
import { receiverOf } from '../daraja/settings.ts';
import type { AppDependencies } from '../dependencies.ts';
import { KEY_PROBLEMS } from '../key-problems.ts';
import { callerNameOf, REASON_BODY } from '../release-routes.ts';
import { readReplayedPayment } from './replayed-payment.ts';

const MOST_CHARACTERS = 65_536;

const REPLAY_SCHEMA = {
  operationId: 'replayCallback',
  tags: ['callbacks'],
  summary: 'Takes a callback in again that could not be used, or whose recording failed, once.',
  description:
    'As it was received, after the service has learnt to read it; or as a person has corrected it, with the fields of a C2B confirmation or of the callback of a request to a phone, which settles its payment. The payment that it reports is recorded like any other, by its receipt. Both bodies stay in the inbox. Correct a body only from what the M-PESA portal shows: nothing else proves a payment.',
  security: [{ apiKey: [] }],
  headers: idempotencyHeaders,
  params: z.object({ id: z.string().describe('`id` of the list of callbacks') }),
  body: z.strictObject({
    ...REASON_BODY,
    body: z
      .string()
      .min(1)
      .max(MOST_CHARACTERS)
      .optional()
      .describe('the corrected body, as JSON text; the body as it was received when absent'),
    payment: z
      .uuid()
      .optional()
      .describe(
        'for the callback of a request to a phone: the payment that it is about; default: the one that M-PESA calls so, or whose URL it came to',
      ),
  }),
  response: {
    200: z
      .object({
        id: z.string(),
        receipt: z.string(),
        outcome: z
          .enum(['credited', 'suspense', 'held', 'duplicate', 'conflict'])
          .nullable()
          .describe('what became of the payment; null when the callback was taken in before'),
      })
      .meta({ id: 'CallbackReplay' })
      .describe('It is taken in, now or before.'),
    400: problemResponse('`Idempotency-Key` is missing, or the body is not JSON.'),
    ...KEY_PROBLEMS,
    404: problemResponse('`unknown_callback`: no callback has this id; or `unknown_payment`.'),
    409: problemResponse('`already_resolved` in another way; or `key_reused`.'),
    422: problemResponse(
      '`nothing_to_resolve`; `invalid_amount`; or the body still cannot be read, and `detail` says why.',
    ),
  },
};

/**
 * What waits for nobody is refused for that, whatever its body says. One that was taken in before is answered as then.
 *
 * @throws DaftariError `nothing_to_resolve`; `already_resolved`
 */
function requireOpen({ outcome, kind, decision }: CallbackItem): void {
  const isOpen = (outcome === 'QUARANTINED' || outcome === 'FAILED') && kind !== 'C2B_VALIDATION';
  if (!isOpen) throw new DaftariError('nothing_to_resolve');
  if (decision !== null && decision.decision !== 'REPLAYED') throw new DaftariError('already_resolved');
}

/** Adds the way to have a callback taken in again. */
export function addReplayRoutes(
  app: HttpServer,
  { db, settings, daraja }: AppDependencies,
  requireKey: Server['requireKey'],
): void {
  const replay = { onRequest: [requireKey('admin'), requireIdempotencyKey], schema: REPLAY_SCHEMA };
  app.post('/callbacks/:id/replay', replay, async (request) => {
    const { id } = request.params;
    const { reason, body: corrected, payment } = request.body;
    const found = await findCallback(db, id);
    if (found === null) throw new DaftariError('unknown_callback');
    requireOpen(found);
    const receiver = daraja === null ? null : receiverOf(daraja.settings);
    const replayed = await readReplayedPayment(
      { db, receiver },
      {
        bytes: corrected === undefined ? Buffer.from(found.body) : Buffer.from(corrected),
        keptReceipt: found.receipt,
        namedPayment: payment,
      },
    );
    const { receipt, outcome } = await replayCallback(
      db,
      {
        id,
        ...replayed,
        reason,
        decidedBy: callerNameOf(request),
        idempotencyKey: request.headers['idempotency-key'],
      },
      settings.maxAmount === undefined ? {} : { maxAmount: settings.maxAmount },
    );
    request.log.info({ callback: id, receipt, outcome }, 'a person has had a callback taken in again');
    return { id, receipt, outcome };
  });
}
