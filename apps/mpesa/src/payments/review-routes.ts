import { reviewPayment } from '@repo/db';
import { idempotencyHeaders, problemResponse, requireIdempotencyKey } from '@repo/http';
import type { HttpServer, Server } from '@repo/http';
import { z } from 'zod';
import type { AppDependencies } from '../dependencies.ts';
import { KEY_PROBLEMS } from '../key-problems.ts';
import { callerNameOf, REASON_BODY } from '../release-routes.ts';
import { requireFound } from './payment-desk.ts';
import { paymentBody, paymentSchema } from './payment-body.ts';

const REVIEW_SCHEMA = {
  operationId: 'reviewPayment',
  tags: ['payments'],
  summary: 'Ends the flags of a payment about which nothing is left to do.',
  description:
    'For a payment that is flagged `second_receipt`, `other_payment`, `other_wallet` or `not_assigned`, once a person has dealt with it. No money moves, and the events stay. A decision of each receipt says who did it and why. `conflict` and `unproven` end with the decision about their callback.',
  security: [{ apiKey: [] }],
  headers: idempotencyHeaders,
  params: z.object({ id: z.string() }),
  body: z.strictObject(REASON_BODY),
  response: {
    200: paymentSchema.describe('It is reviewed, now or before: the payment as it is.'),
    400: problemResponse('`Idempotency-Key` is missing, or the body is not JSON.'),
    ...KEY_PROBLEMS,
    404: problemResponse('`unknown_payment`: no payment has this id.'),
    409: problemResponse('`key_reused`: the key was used for another request.'),
    422: problemResponse(
      '`nothing_to_review`: no flag of it ends with a review; or a field is missing, unknown or wrong.',
    ),
  },
};

/** Adds the way to say that a flagged payment has been dealt with. */
export function addReviewRoutes(
  app: HttpServer,
  { db }: Pick<AppDependencies, 'db'>,
  requireKey: Server['requireKey'],
): void {
  const review = { onRequest: [requireKey('admin'), requireIdempotencyKey], schema: REVIEW_SCHEMA };
  app.post('/payments/:id/review', review, async (request) => {
    const { id } = request.params;
    const { replayed } = await reviewPayment(db, {
      id,
      reason: request.body.reason,
      decidedBy: callerNameOf(request),
      idempotencyKey: request.headers['idempotency-key'],
    });
    request.log.info({ payment: id, replayed }, 'a person has reviewed a flagged payment');
    return paymentBody(await requireFound(db, id), true);
  });
}
