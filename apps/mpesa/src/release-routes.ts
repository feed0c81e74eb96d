import { DaftariError, findDeposit, releaseDeposit } from '@repo/db';
import type { DepositRelease } from '@repo/db';
import { callerOf, idempotencyHeaders, problemResponse, requireIdempotencyKey } from '@repo/http';
import type { HttpServer, Server } from '@repo/http';
import { z } from 'zod';
import type { AppDependencies } from './dependencies.ts';
import { KEY_PROBLEMS } from './key-problems.ts';

/** The reason for the decision: stored with the name of the key. */
export const REASON_BODY = {
  reason: z
    .string()
    .trim()
    .min(1)
    .max(500)
    .refine((text) => text.isWellFormed() && !text.includes('\0'), 'must be well-formed text without NUL')
    .describe('why; stored with the name of the key'),
};

const decided = z
  .object({
    receipt: z.string(),
    outcome: z.enum(['credited', 'suspense', 'rejected']),
    wallet: z.string().nullable().describe('the wallet credited; null when none was'),
    amount: z.string().describe('KES, two decimals'),
  })
  .meta({ id: 'DecidedDeposit' });

const COMMON = {
  tags: ['deposits'],
  security: [{ apiKey: [] }],
  headers: idempotencyHeaders,
  params: z.object({ receipt: z.string().describe('the M-PESA receipt, in any case') }),
  body: z.strictObject(REASON_BODY),
  response: {
    200: decided.describe('It is decided so, now or before.'),
    400: problemResponse('`Idempotency-Key` is missing, or the body is not JSON.'),
    ...KEY_PROBLEMS,
    404: problemResponse('`unknown_transaction`: no payment has this receipt.'),
    409: problemResponse('`already_posted`: it was not kept, or has been released; or `key_reused`.'),
    422: problemResponse(
      '`invalid_amount`: no such sum is ever posted; or a field is missing, unknown or wrong.',
    ),
  },
};

/** Adds the two ways to decide about a payment that is kept and not posted. */
export function addReleaseRoutes(
  app: HttpServer,
  { db }: AppDependencies,
  requireKey: Server['requireKey'],
): void {
  const guards = [requireKey('admin'), requireIdempotencyKey];

  async function decide(release: DepositRelease) {
    await releaseDeposit(db, release);
    const deposit = await findDeposit(db, release.receipt);
    if (deposit === null || deposit.outcome === 'none') throw new DaftariError('unknown_transaction');
    const { receipt, outcome, amount } = deposit;
    if ('wallet' in deposit) return { receipt, outcome: deposit.outcome, wallet: deposit.wallet, amount };
    if (outcome !== 'rejected') throw new DaftariError('database_error');
    return { receipt, outcome, wallet: null, amount };
  }

  const release = {
    onRequest: guards,
    schema: {
      ...COMMON,
      operationId: 'releaseDeposit',
      summary:
        'Posts a payment that was kept because of its amount, or that was logged without a transaction, once.',
    },
  };
  app.post('/deposits/:receipt/release', release, async (request) => {
    return decide({
      receipt: request.params.receipt,
      decision: 'release',
      reason: request.body.reason,
      decidedBy: callerNameOf(request),
      idempotencyKey: request.headers['idempotency-key'],
    });
  });

  const reject = {
    onRequest: guards,
    schema: {
      ...COMMON,
      operationId: 'rejectDeposit',
      summary: 'Puts a payment that was kept aside. No money moves; it can be released later.',
    },
  };
  app.post('/deposits/:receipt/rejection', reject, async (request) => {
    return decide({
      receipt: request.params.receipt,
      decision: 'reject',
      reason: request.body.reason,
      decidedBy: callerNameOf(request),
      idempotencyKey: request.headers['idempotency-key'],
    });
  });
}

/** Who decides, as it is stored. */
export function callerNameOf(request: Parameters<typeof callerOf>[0]): string {
  const caller = callerOf(request);
  return caller?.name ?? caller?.id ?? 'unknown';
}
