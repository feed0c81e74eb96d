import { findPayment, listPayments, paymentEvents, requestPayment } from '@repo/db';
import type { Payment, PaymentListRequest, PaymentStatus } from '@repo/db';
import {
  callerOf,
  cursorParameter,
  httpProblem,
  idempotencyHeaders,
  lowerCase,
  pageSchema,
  problemResponse,
  requireIdempotencyKey,
  wordParameter,
} from '@repo/http';
import type { HttpServer } from '@repo/http';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { receiverOf } from '../daraja/settings.ts';
import type { AppDependencies, RouteContext } from '../dependencies.ts';
import { KEY_PROBLEMS } from '../key-problems.ts';
import { seesPayers } from '../personal-data.ts';
import { PAYMENT_FIELDS, paymentBody, paymentSchema, STATUSES } from './payment-body.ts';
import { notConfigured } from './payment-problems.ts';
import { requireFound } from './payment-desk.ts';
import type { PaymentDesk } from './payment-desk.ts';

const event = z
  .object({
    kind: z
      .string()
      .describe(
        'requested, accepted, refused, retry, lost, asked, paid, failed, unknown, assigned, corrected, reviewed; flagged: second_receipt, other_payment, other_wallet, conflict, unproven, not_assigned',
      ),
    status: z.enum(STATUSES).describe('afterwards'),
    reason: z.string().optional(),
    resultCode: z.string().optional(),
    receipt: z.string().optional(),
    at: z.iso.datetime(),
  })
  .meta({ id: 'PaymentEvent' });

const withEvents = z.object({ ...PAYMENT_FIELDS, events: z.array(event) }).meta({ id: 'PaymentWithEvents' });

const SECURITY = [{ apiKey: [] }];
const TAGS = ['payments'];
const clean = (text: string) => text.isWellFormed() && !text.includes('\0');

const REQUEST_SCHEMA = {
  operationId: 'requestPayment',
  tags: TAGS,
  summary: "Asks a customer's phone for a payment into a wallet (STK push), once for its idempotency key.",
  description:
    'Answered when M-PESA has answered, or when nobody knows what became of the request (`unknown`). The money is credited when M-PESA reports it; `GET /payments/{id}` says what became of it.',
  security: SECURITY,
  headers: idempotencyHeaders,
  body: z
    .strictObject({
      wallet: z.string().min(1).max(20).refine(clean, 'must be well-formed text without NUL'),
      amount: z.string().max(40).describe('KES, whole shillings, such as 150 or 150.00'),
      phone: z.string().max(30).describe('a Kenyan mobile number, written in any usual way'),
      reference: z
        .string()
        .optional()
        .describe(
          'shown to the payer as the account, 12 visible ASCII characters at most; default: the wallet',
        ),
      description: z.string().optional().describe('13 visible ASCII characters at most; default: Payment'),
    })
    .meta({ examples: [{ wallet: '4412098848', amount: '150.00', phone: '0700000126' }] }),
  response: {
    202: paymentSchema.describe('It is written down. The same for a repeat of the key, as it is by then.'),
    400: problemResponse('`Idempotency-Key` is missing, or the body is not JSON.'),
    ...KEY_PROBLEMS,
    409: problemResponse('`key_reused`: the key was used for another request.'),
    422: problemResponse(
      'Nothing was asked for: `unknown_wallet`, `wallet_frozen`, `wallet_closed`, `currency_mismatch`; `invalid_amount` (`reason`: `not_whole` and others); `invalid_request`.',
    ),
    503: problemResponse(
      '`payments_not_configured`: the DARAJA settings are missing. Otherwise `retry-after` says when to send it again.',
    ),
  },
};

const ONE_SCHEMA = {
  operationId: 'getPayment',
  tags: TAGS,
  summary: 'A payment that was asked for, and what happened to it.',
  security: SECURITY,
  params: z.object({ id: z.string() }),
  response: {
    200: withEvents,
    ...KEY_PROBLEMS,
    404: problemResponse('No payment has this id.'),
  },
};

const LIST_SCHEMA = {
  operationId: 'listPayments',
  tags: TAGS,
  summary: 'Payments that were asked for, the latest first.',
  security: SECURITY,
  querystring: z.strictObject({
    status: wordParameter(STATUSES).optional(),
    flagged: wordParameter(['yes', 'no']).optional().describe('yes: only those that a person should look at'),
    wallet: z.string().min(1).max(20).optional(),
    cursor: cursorParameter,
    limit: z.coerce.number().int().min(1).max(200).default(50),
  }),
  response: {
    200: pageSchema('PaymentPage', paymentSchema),
    ...KEY_PROBLEMS,
    422: problemResponse('A parameter is unknown or wrong.'),
  },
};

/** Adds `POST /payments`, `GET /payments` and `GET /payments/:id`. Without a desk nothing can be asked for. */
export function addPaymentRoutes(
  app: HttpServer,
  { db, daraja, timings }: AppDependencies,
  {
    desk,
    reads,
    requireKey,
  }: Pick<RouteContext, 'reads' | 'requireKey'> & { readonly desk: PaymentDesk | null },
): void {
  const guards = [requireKey('transact'), requireIdempotencyKey];
  app.post('/payments', { onRequest: guards, schema: REQUEST_SCHEMA }, async (request, reply) => {
    if (desk === null || daraja === null) throw notConfigured();
    const { wallet, amount, phone, reference, description } = request.body;
    const requested = await requestPayment(db, {
      wallet,
      amount,
      phone,
      ...(reference === undefined ? {} : { reference }),
      ...(description === undefined ? {} : { description }),
      shortCode: receiverOf(daraja.settings),
      idempotencyKey: request.headers['idempotency-key'],
      leaseMs: timings.leaseMs,
    });
    const { id } = requested.payment;
    if (requested.isNew) await sendNow(request, () => desk.send(requested.payment));
    const current = requested.isNew ? await found(id, requested.payment) : requested.payment;
    return reply.code(202).send(paymentBody(current, true));
  });

  /** Once it is written down, the answer is 202: a failure of ours leaves it UNKNOWN, and says so to those who ask. */
  async function sendNow(request: FastifyRequest, send: () => Promise<void>): Promise<void> {
    try {
      await send();
    } catch (error) {
      request.log.error({ err: error }, 'the answer to a request to a phone could not be noted');
    }
  }

  async function found(id: string, fallback: Payment): Promise<Payment> {
    return requireFound(db, id).catch(() => fallback);
  }

  app.get('/payments/:id', { onRequest: requireKey('read'), schema: ONE_SCHEMA }, async (request) => {
    const payment = await findPayment(db, request.params.id);
    if (payment === null) throw httpProblem('not_found', { detail: 'No payment has this id.' });
    const events = await paymentEvents(db, payment.id);
    return {
      ...paymentBody(payment, mayName(request)),
      events: events.map(({ kind, status, reason, resultCode, receipt, at }) => ({
        kind: lowerCase(kind),
        status: lowerCase(status),
        ...(reason === null ? {} : { reason }),
        ...(resultCode === null ? {} : { resultCode }),
        ...(receipt === null ? {} : { receipt }),
        at: at.toISOString(),
      })),
    };
  });

  app.get('/payments', { onRequest: requireKey('read'), schema: LIST_SCHEMA }, async (request) => {
    const asked = listRequestOf(request.query);
    const page = await reads.current((handle) => listPayments(handle, asked));
    const names = mayName(request);
    return { items: page.payments.map((each) => paymentBody(each, names)), nextCursor: page.nextCursor };
  });
}

function listRequestOf({
  status,
  flagged,
  wallet,
  cursor,
  limit,
}: z.output<typeof LIST_SCHEMA.querystring>): PaymentListRequest {
  return {
    limit,
    ...(status === undefined ? {} : { status: status.toUpperCase() as PaymentStatus }),
    ...(flagged === undefined ? {} : { flagged: flagged === 'yes' }),
    ...(wallet === undefined ? {} : { wallet }),
    ...(cursor === undefined ? {} : { cursor }),
  };
}

/** Whether the caller may see what M-PESA calls a request, which holds the payer's number. */
function mayName(request: FastifyRequest): boolean {
  return seesPayers(request) || (callerOf(request)?.scopes.some((scope) => scope === 'transact') ?? false);
}
