import { DaftariError, findHold } from '@repo/db';
import type { HoldView, LedgerIntake } from '@repo/db';
import { idempotencyHeaders, lowerCase, problemResponse, requireIdempotencyKey } from '@repo/http';
import type { HttpServer } from '@repo/http';
import { z } from 'zod';
import type { RouteContext } from '../dependencies.ts';
import { amount, moment, money, narrative, time, walletNumber } from '../fields.ts';
import { postedBody, postedSchema, statusOf } from './posted.ts';
import { KEY_PROBLEMS, LIMIT_PROBLEM, secured } from '../responses.ts';

const holdSchema = z
  .object({
    id: z.string(),
    wallet: walletNumber,
    amount: money,
    feeHeld: money.describe('reserved beside the amount for the fee of its capture'),
    captured: money.describe('what of it has been paid out'),
    status: z.enum(['active', 'captured', 'released', 'expired']),
    captureReference: z.string().nullable().describe('the transaction that paid it out'),
    expiresAt: time.nullable().describe('null when it stays until it is captured or released'),
    available: money.describe('what can be spent from the wallet, after what was asked or as it is now'),
    createdAt: time,
  })
  .meta({ id: 'Hold' });

const captureAnswer = postedSchema.extend({ hold: holdSchema }).meta({ id: 'Capture' });

const params = z.object({ id: z.string().describe('the id of the hold') });
const unknown = problemResponse('`unknown_hold`: there is no such hold.');
const badRequest = problemResponse('`Idempotency-Key` is missing, or the body is not JSON.');

const PLACE_SCHEMA = {
  operationId: 'placeHold',
  ...secured('holds', 'Reserves money in a wallet for a payout, and the fee that the payout may cost.'),
  headers: idempotencyHeaders,
  body: z
    .strictObject({
      wallet: walletNumber,
      amount,
      expiresAt: moment
        .optional()
        .describe('when the money is free again if nobody captures it; a moment in the future'),
      narrative: narrative.optional(),
    })
    .meta({ examples: [{ wallet: '4412098848', amount: '500.00', narrative: 'Payout' }] }),
  response: {
    201: holdSchema.describe('The money is reserved.'),
    200: holdSchema.describe('It was reserved before, for the same key.'),
    400: badRequest,
    ...KEY_PROBLEMS,
    409: problemResponse('`key_reused`: the key was used for another request.'),
    422: problemResponse(
      'Nothing is reserved: `insufficient_funds` (for the amount and its fee), `wallet_frozen`, `unknown_wallet`, `expiry_passed` and others.',
    ),
    ...LIMIT_PROBLEM,
  },
};

const VIEW_SCHEMA = {
  operationId: 'getHold',
  ...secured('holds', 'A hold as it is now.'),
  params,
  response: { 200: holdSchema, ...KEY_PROBLEMS, 404: unknown, ...LIMIT_PROBLEM },
};

const CAPTURE_SCHEMA = {
  operationId: 'captureHold',
  ...secured('holds', 'Pays out what is held, whole or in part; the rest is free again.'),
  headers: idempotencyHeaders,
  params,
  body: z
    .strictObject({
      to: walletNumber,
      amount: amount.optional().describe('all that is held when absent'),
      narrative: narrative.optional(),
    })
    .meta({ examples: [{ to: '9912091234', amount: '450.00' }] }),
  response: {
    201: captureAnswer.describe('The money is paid out.'),
    200: captureAnswer.describe('It was paid out before, for the same key.'),
    400: badRequest,
    ...KEY_PROBLEMS,
    404: unknown,
    409: problemResponse('`hold_closed`: captured, released or expired before; or `key_reused`.'),
    422: problemResponse('Nothing moved: `exceeds_hold`, `unknown_wallet`, `wallet_closed` and others.'),
    ...LIMIT_PROBLEM,
  },
};

const RELEASE_SCHEMA = {
  operationId: 'releaseHold',
  ...secured('holds', 'Gives up a hold: the money is free again. A repeat gets the same answer.'),
  params,
  response: {
    200: holdSchema,
    ...KEY_PROBLEMS,
    404: unknown,
    409: problemResponse('`hold_closed`: it was captured.'),
    ...LIMIT_PROBLEM,
  },
};

/** Adds the routes that reserve money, show it, pay it out and give it up. */
export function addHoldRoutes(
  app: HttpServer,
  { db, limits, requireKey }: RouteContext,
  ledger: LedgerIntake,
): void {
  const mayTransact = requireKey('transact');

  const place = { onRequest: [mayTransact, requireIdempotencyKey], schema: PLACE_SCHEMA };
  app.post('/holds', place, (request, reply) =>
    limits.countMisses(request, async () => {
      const { expiresAt, narrative: text, ...reserve } = request.body;
      const placed = await ledger.hold({
        ...reserve,
        idempotencyKey: request.headers['idempotency-key'],
        ...(expiresAt === undefined ? {} : { expiresAt }),
        ...(text === undefined ? {} : { narrative: text }),
      });
      return reply.code(statusOf(placed)).send(holdBody(placed));
    }),
  );

  app.get('/holds/:id', { onRequest: requireKey('read'), schema: VIEW_SCHEMA }, (request) =>
    limits.countMisses(request, async () => {
      const found = await findHold(db, { id: request.params.id });
      if (found === null) throw new DaftariError('unknown_hold');
      return holdBody(found);
    }),
  );

  const capture = { onRequest: [mayTransact, requireIdempotencyKey], schema: CAPTURE_SCHEMA };
  app.post('/holds/:id/capture', capture, (request, reply) =>
    limits.countMisses(request, async () => {
      const { to, amount: part, narrative: text } = request.body;
      const posted = await ledger.captureHold({
        holdId: request.params.id,
        to,
        idempotencyKey: request.headers['idempotency-key'],
        ...(part === undefined ? {} : { amount: part }),
        ...(text === undefined ? {} : { narrative: text }),
      });
      return reply.code(statusOf(posted)).send({ ...postedBody(posted), hold: holdBody(posted.hold) });
    }),
  );

  app.delete('/holds/:id', { onRequest: mayTransact, schema: RELEASE_SCHEMA }, (request) =>
    limits.countMisses(request, async () =>
      holdBody(await ledger.releaseHold({ holdId: request.params.id })),
    ),
  );
}

function holdBody(hold: HoldView) {
  const { id, wallet, captured, status, captureReference, available } = hold;
  return {
    id,
    wallet,
    amount: hold.amount,
    feeHeld: hold.feeHeld,
    captured,
    status: lowerCase(status),
    captureReference,
    expiresAt: hold.expiresAt?.toISOString() ?? null,
    available,
    createdAt: hold.createdAt.toISOString(),
  };
}
