import { correctPayment } from '@repo/db';
import { idempotencyHeaders, problemResponse, requireIdempotencyKey } from '@repo/http';
import type { HttpServer, Server } from '@repo/http';
import { z } from 'zod';
import type { AppDependencies } from '../dependencies.ts';
import { KEY_PROBLEMS } from '../key-problems.ts';
import { callerNameOf, REASON_BODY } from '../release-routes.ts';

const CORRECT_SCHEMA = {
  operationId: 'correctPayment',
  tags: ['payments'],
  summary: 'Moves the money of a payment to the other one of the two wallets that its messages name, once.',
  description:
    'For a payment that is flagged `other_wallet`: it was asked for one wallet, and a confirmation named another. The money is where the first message wanted it, and goes to the other wallet. Both customers are told, and their statements show it. A decision of the receipt says who did it and why.',
  security: [{ apiKey: [] }],
  headers: idempotencyHeaders,
  params: z.object({ id: z.string() }),
  body: z.strictObject({
    ...REASON_BODY,
    receipt: z
      .string()
      .min(1)
      .max(50)
      .refine((text) => text.isWellFormed() && !text.includes('\0'), 'must be well-formed text without NUL')
      .optional()
      .describe('the receipt whose money is moved; default: the one that settled the payment'),
  }),
  response: {
    200: z
      .object({
        id: z.string(),
        receipt: z.string(),
        reference: z.string().describe('of the movement: to be reversed if it was wrong'),
        from: z.string().describe('the wallet that had the money'),
        wallet: z.string().describe('the wallet that has it'),
        amount: z.string().describe('KES, two decimals'),
      })
      .meta({ id: 'CorrectedPayment' })
      .describe('The money is in the other wallet, now or before.'),
    400: problemResponse('`Idempotency-Key` is missing, or the body is not JSON.'),
    ...KEY_PROBLEMS,
    404: problemResponse('`unknown_payment`: no payment has this id.'),
    409: problemResponse(
      '`already_assigned`: a person moved it to a third wallet; `already_reversed`: it went back; or `key_reused`.',
    ),
    422: problemResponse(
      'Nothing moved: `nothing_to_correct`, `not_correctable`, `insufficient_funds`, `wallet_frozen`, `wallet_closed`; or a field is missing, unknown or wrong.',
    ),
  },
};

/** Adds the way to correct a payment whose messages name two wallets. */
export function addCorrectionRoutes(
  app: HttpServer,
  { db }: Pick<AppDependencies, 'db'>,
  requireKey: Server['requireKey'],
): void {
  // It takes money from a customer's wallet, which is for administrators, as an assignment is.
  const correct = { onRequest: [requireKey('admin'), requireIdempotencyKey], schema: CORRECT_SCHEMA };
  app.post('/payments/:id/correction', correct, async (request) => {
    const { id } = request.params;
    const { reason, receipt: asked } = request.body;
    const { replayed, to, ...moved } = await correctPayment(db, {
      id,
      reason,
      ...(asked === undefined ? {} : { receipt: asked }),
      decidedBy: callerNameOf(request),
      idempotencyKey: request.headers['idempotency-key'],
    });
    request.log.info(
      { payment: id, reference: moved.reference, replayed },
      'a person has moved the money of a payment to the other wallet',
    );
    return { id, ...moved, wallet: to };
  });
}
