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
import { customerMessageOf } from '../daraja/result-codes.ts';
import { receiverOf } from '../daraja/settings.ts';
import type { AppDependencies, RouteContext } from '../dependencies.ts';
import { KEY_PROBLEMS } from '../key-problems.ts';
import { maskPhone, seesPayers } from '../personal-data.ts';
import { notConfigured } from './payment-problems.ts';
import { requireFound } from './payment-desk.ts';
import type { PaymentDesk } from './payment-desk.ts';

const STATUSES = [
  'requested',
  'pending',
  'paid',
  'failed',
  'unknown',
] as const satisfies readonly Lowercase<PaymentStatus>[];

const FIELDS = {
  id: z.string(),
  status: z
    .enum(STATUSES)
    .describe(
      'requested: not accepted yet; pending: the prompt was sent; paid: a receipt came; failed: refused, cancelled or not answered, though a late receipt makes it paid; unknown: nobody knows, and it is not sent again',
    ),
  wallet: z.string(),
  amount: z.string().describe('KES, two decimals'),
  phone: z.string().describe('masked'),
  reference: z.string(),
  description: z.string(),
  checkoutRequestId: z
    .string()
    .optional()
    .describe(
      "M-PESA's name for the request, for support; it holds the phone number and is no key for money",
    ),
  receipt: z.string().optional().describe('the first receipt that settled it'),
  reason: z.string().optional().describe('why it failed or is unknown'),
  resultCode: z.string().optional().describe("M-PESA's own code"),
  customerMessage: z.string().optional().describe('what the payer can be told'),
  flagged: z
    .boolean()
    .describe('whether something contradicts something else: see `events`; a person should look'),
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
};

const paymentSchema = z.object(FIELDS).meta({ id: 'Payment' });

const event = z
  .object({
    kind: z
      .string()
      .describe(
        'requested, accepted, refused, retry, lost, asked, paid, failed, unknown, assigned, corrected; flagged: second_receipt, other_payment, other_wallet, conflict, unproven, not_assigned',
      ),
    status: z.enum(STATUSES).describe('afterwards'),
    reason: z.string().optional(),
    resultCode: z.string().optional(),
    receipt: z.string().optional(),
    at: z.iso.datetime(),
  })
  .meta({ id: 'PaymentEvent' });

const withEvents = z.object({ ...FIELDS, events: z.array(event) }).meta({ id: 'PaymentWithEvents' });

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

function paymentBody(payment: Payment, namesRequest: boolean) {
  const { id, status, wallet, amount, phone, reference, description, isFlagged } = payment;
  const { checkoutRequestId, receipt, reason, resultCode, createdAt, updatedAt } = payment;
  const message = status === 'FAILED' ? customerMessageOf(reason) : null;
  return {
    id,
    status: lowerCase(status),
    wallet,
    amount,
    phone: maskPhone(phone),
    reference,
    description,
    ...(checkoutRequestId === null || !namesRequest ? {} : { checkoutRequestId }),
    ...(receipt === null ? {} : { receipt }),
    ...(reason === null ? {} : { reason }),
    ...(resultCode === null ? {} : { resultCode }),
    ...(message === null ? {} : { customerMessage: message }),
    flagged: isFlagged,
    createdAt: createdAt.toISOString(),
    updatedAt: updatedAt.toISOString(),
  };
}
