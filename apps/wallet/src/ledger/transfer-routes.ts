import { isDaftariError } from '@repo/db';
import type { Posted, TransferIntake } from '@repo/db';
import { idempotencyHeaders, problemResponse, requireIdempotencyKey } from '@repo/http';
import type { HttpServer } from '@repo/http';
import { z } from 'zod';
import type { RouteContext } from '../dependencies.ts';
import { amount, narrative, walletNumber } from '../fields.ts';
import { postedBody, postedSchema, statusOf } from './posted.ts';
import { KEY_PROBLEMS, LIMIT_PROBLEM, secured } from '../responses.ts';

const TRANSFER_SCHEMA = {
  operationId: 'createTransfer',
  ...secured('transfers', 'Moves money from one wallet to another, once for its idempotency key.'),
  headers: idempotencyHeaders,
  body: z
    .strictObject({
      from: walletNumber,
      to: walletNumber,
      amount,
      currency: z
        .string()
        .regex(/^[A-Z]{3}$/, 'must be three capital letters, such as KES')
        .optional()
        .describe('ISO 4217, the currency of the wallets; default: KES'),
      narrative: narrative.optional(),
    })
    .meta({ examples: [{ from: '4412098848', to: '9912091234', amount: '150.00', narrative: 'Rent' }] }),
  response: {
    201: postedSchema.describe('The money has moved.'),
    200: postedSchema.describe('It had moved before, for the same key; this is the same answer.'),
    400: problemResponse('`Idempotency-Key` is missing, or the body is not JSON.'),
    ...KEY_PROBLEMS,
    409: problemResponse('`key_reused`: the key was used for another request.'),
    422: problemResponse(
      'Nothing moved, and for this key nothing will: `insufficient_funds`, `wallet_frozen`, `wallet_closed`, `unknown_wallet`, `same_wallet`, `currency_mismatch`. Correct it and send it again: `invalid_amount` (`reason`: `malformed`, `negative`, `zero`, `too_many_decimals`, `too_large`), `invalid_request`.',
    ),
    ...LIMIT_PROBLEM,
  },
};

/** Adds `POST /transfers`. */
export function addTransferRoutes(app: HttpServer, context: RouteContext, transfers: TransferIntake): void {
  const { limits, metrics, requireKey } = context;
  const options = { onRequest: [requireKey('transact'), requireIdempotencyKey], schema: TRANSFER_SCHEMA };
  app.post('/transfers', options, (request, reply) =>
    limits.countMisses(request, async () => {
      const idempotencyKey = request.headers['idempotency-key'];
      const { narrative: text, currency, ...parties } = request.body;
      const moving = transfers.transfer({
        ...parties,
        idempotencyKey,
        ...(currency === undefined ? {} : { currency }),
        ...(text === undefined ? {} : { narrative: text }),
      });
      const posted = await counted(moving, (outcome) => metrics.transfers.inc({ outcome }));
      return reply.code(statusOf(posted)).send(postedBody(posted));
    }),
  );
}

async function counted(moving: Promise<Posted>, count: (outcome: string) => void): Promise<Posted> {
  try {
    const posted = await moving;
    count(posted.replayed ? 'replayed' : 'posted');
    return posted;
  } catch (error) {
    count(isDaftariError(error) ? error.code : 'failed');
    throw error;
  }
}
