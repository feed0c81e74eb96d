import { DaftariError, assignByPerson, listSuspense, markRefund } from '@repo/db';
import type { Posted, SuspensePayment } from '@repo/db';
import {
  cursorParameter,
  httpProblem,
  idempotencyHeaders,
  pageSchema,
  problemResponse,
  requireIdempotencyKey,
  wordParameter,
} from '@repo/http';
import type { HttpServer } from '@repo/http';
import { z } from 'zod';
import type { RouteContext } from './dependencies.ts';
import { KEY_PROBLEMS } from './key-problems.ts';
import { maskAccount, maskName, maskPhone, seesPayers } from './personal-data.ts';
import { periodOf, PERIOD_PARAMETERS } from './period.ts';
import { callerNameOf, REASON_BODY } from './release-routes.ts';
import { suggestionsSchema } from './suggestion.ts';

const payment = z
  .object({
    receipt: z.string(),
    amount: z.string().describe('two decimals'),
    remaining: z.string().describe('what of it was not sent back to the payer'),
    currency: z.string(),
    paidAt: z.iso
      .datetime()
      .nullable()
      .describe('when the customer paid; null for payments before this was kept'),
    createdAt: z.iso.datetime().describe('when it was recorded'),
    account: z
      .string()
      .nullable()
      .describe('what the payer typed; masked for keys without the scope `admin`'),
    phone: z
      .string()
      .nullable()
      .describe("the payer's number as it was told; masked for keys without the scope `admin`"),
    payerName: z.string().nullable().describe('masked for keys without the scope `admin`'),
    reason: z.string().nullable().describe('why it waits'),
    suggestions: suggestionsSchema,
    assignment: z
      .object({ reference: z.string(), wallet: z.string() })
      .nullable()
      .describe('the wallet that it was assigned to; null while it waits'),
    ageSeconds: z.number().int().describe('since it was recorded'),
    refund: z
      .object({ markedBy: z.string(), markedAt: z.iso.datetime() })
      .nullable()
      .describe('who marked it as one that goes back to its payer; null for one that is not'),
  })
  .meta({ id: 'SuspensePayment' });

const clean = (text: string) => text.isWellFormed() && !text.includes('\0');
const CLEAN = 'must be well-formed text without NUL';

const LIST_SCHEMA = {
  operationId: 'listSuspense',
  tags: ['suspense'],
  summary: 'Payments that wait for somebody to say whose they are, the latest first.',
  security: [{ apiKey: [] }],
  querystring: z.strictObject({
    status: wordParameter(['waiting', 'all'])
      .default('waiting')
      .describe('all: also those that were assigned or sent back'),
    receipt: z.string().min(1).max(50).refine(clean, CLEAN).optional(),
    account: z
      .string()
      .min(1)
      .max(100)
      .refine(clean, CLEAN)
      .optional()
      .describe('a part of what the payer typed, in any case; for keys with the scope `admin` alone'),
    name: z
      .string()
      .min(1)
      .max(120)
      .refine((text) => clean(text) && /[\p{L}\p{N}]/u.test(text), 'must have a letter')
      .optional()
      .describe("words of the payer's name, in any order and case; for keys with the scope `admin` alone"),
    amount: z.string().max(40).optional().describe('KES, such as 150 or 150.00'),
    ...PERIOD_PARAMETERS,
    minAgeHours: z.coerce
      .number()
      .int()
      .min(0)
      .max(87_600)
      .optional()
      .describe('only those that have waited this long'),
    cursor: cursorParameter,
    limit: z.coerce.number().int().min(1).max(200).default(50),
  }),
  response: {
    200: pageSchema('SuspensePage', payment).describe(
      'A page may be shorter than asked for and not be the last.',
    ),
    ...KEY_PROBLEMS,
    422: problemResponse('A parameter is unknown or wrong.'),
  },
};

const assigned = z
  .object({
    receipt: z.string(),
    reference: z.string().describe('of the movement out of suspense: to be reversed if it was wrong'),
    wallet: z.string(),
    amount: z.string().describe('two decimals'),
    currency: z.string(),
    createdAt: z.iso.datetime(),
    verificationHash: z.string(),
  })
  .meta({ id: 'Assignment' });

const ASSIGN_SCHEMA = {
  operationId: 'assignSuspense',
  tags: ['suspense'],
  summary: 'Moves a payment from suspense to the wallet that it was meant for, once.',
  security: [{ apiKey: [] }],
  headers: idempotencyHeaders,
  params: z.object({ receipt: z.string().describe('the M-PESA receipt, in any case') }),
  body: z
    .strictObject({
      wallet: z.string().min(1).max(20).refine(clean, CLEAN).describe('a wallet number, ten digits'),
      reason: REASON_BODY.reason.optional(),
    })
    .meta({ examples: [{ wallet: '4412098848' }] }),
  response: {
    201: assigned.describe('The money is in the wallet.'),
    200: assigned.describe('It was there before, or it was assigned for the same key.'),
    400: problemResponse('`Idempotency-Key` is missing, or the body is not JSON.'),
    ...KEY_PROBLEMS,
    404: problemResponse('`unknown_transaction`: no payment has this receipt.'),
    409: problemResponse(
      '`already_assigned`: it is in another wallet; `already_reversed`: it went back to the payer; or `key_reused`.',
    ),
    422: problemResponse(
      'Nothing moved: `not_in_suspense`, `unknown_wallet`, `wallet_frozen`, `wallet_closed`, `currency_mismatch`.',
    ),
  },
};

const REFUND_SCHEMA = {
  operationId: 'markRefund',
  tags: ['suspense'],
  summary: 'Marks a payment in suspense as one that goes back to its payer, or takes the mark away.',
  description:
    'No money moves. Make the refund at M-PESA, then reverse the deposit (`POST /transactions/{reference}/reversal` of the wallet service): it leaves the list by that.',
  security: [{ apiKey: [] }],
  headers: idempotencyHeaders,
  params: z.object({ receipt: z.string().describe('the M-PESA receipt, in any case') }),
  body: z.strictObject({ decision: z.enum(['mark', 'unmark']), ...REASON_BODY }),
  response: {
    200: z
      .object({ receipt: z.string(), decision: z.enum(['mark', 'unmark']) })
      .meta({ id: 'RefundMark' })
      .describe('It is so, now or before.'),
    400: problemResponse('`Idempotency-Key` is missing, or the body is not JSON.'),
    ...KEY_PROBLEMS,
    404: problemResponse('`unknown_transaction`: no payment has this receipt.'),
    409: problemResponse('`already_assigned`; `already_reversed`: it went back; or `key_reused`.'),
    422: problemResponse('`not_in_suspense`, or a field is missing, unknown or wrong.'),
  },
};

/** Adds `GET /suspense`, `POST /suspense/:receipt/assignment` and `POST /suspense/:receipt/refund`. */
export function addSuspenseRoutes(app: HttpServer, { db, reads, requireKey }: RouteContext): void {
  app.get('/suspense', { onRequest: requireKey('read'), schema: LIST_SCHEMA }, async (request) => {
    const { status, cursor, limit, receipt, account, name, amount, from, to, minAgeHours } = request.query;
    const seesAll = seesPayers(request);
    // Callers who may not see an account or a name may not guess it either.
    if ((account !== undefined || name !== undefined) && !seesAll) {
      const detail = 'Searching by account or name takes a key with the scope `admin`.';
      throw httpProblem('forbidden', { detail });
    }
    const period = periodOf({ from, to });
    const old = minAgeHours === undefined ? undefined : new Date(Date.now() - minAgeHours * 3_600_000);
    const until = [period.to, old].filter((each) => each !== undefined);
    const asked = {
      all: status === 'all',
      limit,
      ...(cursor === undefined ? {} : { cursor }),
      ...(receipt === undefined ? {} : { receipt }),
      ...(account === undefined ? {} : { account }),
      ...(name === undefined ? {} : { name }),
      ...(amount === undefined ? {} : { amount }),
      ...(period.from === undefined ? {} : { from: period.from }),
      ...(until.length === 0 ? {} : { to: new Date(Math.min(...until.map(Number))) }),
    };
    const page = await reads.current((handle) => listSuspense(handle, asked));
    return { items: page.payments.map((each) => paymentBody(each, seesAll)), nextCursor: page.nextCursor };
  });

  // It gives somebody else's money to a wallet, which is for administrators, as a reversal is.
  const assign = { onRequest: [requireKey('admin'), requireIdempotencyKey], schema: ASSIGN_SCHEMA };
  app.post('/suspense/:receipt/assignment', assign, async (request, reply) => {
    const { receipt } = request.params;
    if (!/^[A-Za-z0-9]{1,50}$/.test(receipt)) throw new DaftariError('unknown_transaction');
    const { wallet, reason } = request.body;
    const posted = await assignByPerson(db, {
      receipt,
      wallet,
      decidedBy: callerNameOf(request),
      ...(reason === undefined ? {} : { reason }),
      idempotencyKey: request.headers['idempotency-key'],
    });
    return reply.code(posted.replayed ? 200 : 201).send(assignedBody(receipt.toUpperCase(), posted));
  });

  const refund = { onRequest: [requireKey('admin'), requireIdempotencyKey], schema: REFUND_SCHEMA };
  app.post('/suspense/:receipt/refund', refund, async (request) => {
    const { decision, reason } = request.body;
    const { receipt } = request.params;
    const idempotencyKey = request.headers['idempotency-key'];
    await markRefund(db, { receipt, decision, reason, decidedBy: callerNameOf(request), idempotencyKey });
    return { receipt: receipt.toUpperCase(), decision };
  });
}

function paymentBody(
  { paidAt, createdAt, account, phone, payerName, suggestions, refund, ...rest }: SuspensePayment,
  seesAll: boolean,
) {
  return {
    ...rest,
    account: account === null || seesAll ? account : maskAccount(account),
    phone: phone === null || seesAll ? phone : maskPhone(phone),
    payerName: payerName === null || seesAll ? payerName : maskName(payerName),
    paidAt: paidAt?.toISOString() ?? null,
    createdAt: createdAt.toISOString(),
    suggestions: [...suggestions],
    // A clock behind the database's makes nothing younger than new.
    ageSeconds: Math.max(Math.floor((Date.now() - createdAt.getTime()) / 1_000), 0),
    refund: refund === null ? null : { markedBy: refund.markedBy, markedAt: refund.markedAt.toISOString() },
  };
}

function assignedBody(receipt: string, posted: Posted) {
  const { reference, to: wallet, amount, currency, createdAt, verificationHash } = posted;
  return {
    receipt,
    reference,
    wallet,
    amount,
    currency,
    createdAt: createdAt.toISOString(),
    verificationHash,
  };
}
