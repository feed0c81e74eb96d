import { findDeposit } from '@repo/db';
import type { DepositView } from '@repo/db';
import { httpProblem, lowerCase, problemResponse } from '@repo/http';
import type { HttpServer, KeyGuard } from '@repo/http';
import { z } from 'zod';
import type { AppDependencies } from './dependencies.ts';
import { readReceipt } from './message/receipt.ts';

const callback = z
  .object({
    kind: z.string(),
    outcome: z.string(),
    error: z.string().nullable(),
    receivedAt: z.iso.datetime(),
  })
  .meta({ id: 'DepositCallback' });

const recorded = z
  .object({
    receipt: z.string(),
    outcome: z.enum(['credited', 'suspense']),
    reason: z.string().optional().describe('why it waits in suspense'),
    suggestions: z.array(z.string()).describe('wallet numbers that the payer may have meant'),
    amount: z.string().describe('KES, two decimals'),
    wallet: z.string().describe('the wallet credited'),
    reference: z.string(),
    paidAt: z.iso
      .datetime()
      .nullable()
      .describe('when the customer paid; null for deposits before this was kept'),
    createdAt: z.iso.datetime().describe('when it was recorded'),
    verificationHash: z.string(),
    callbacks: z.array(callback),
  })
  .meta({ id: 'Deposit' });

const callbacksOnly = z
  .object({
    receipt: z.string(),
    outcome: z.literal('none').describe('no deposit was recorded, but there are callbacks with this receipt'),
    callbacks: z.array(callback),
  })
  .meta({ id: 'UnrecordedDeposit' });

const depositSchema = {
  operationId: 'getDeposit',
  tags: ['deposits'],
  summary: 'A deposit and every callback that concerned it.',
  security: [{ apiKey: [] }],
  params: z.object({ receipt: z.string().describe('the M-PESA receipt, in any case') }),
  response: {
    200: z.union([recorded, callbacksOnly]),
    401: problemResponse('The API key is missing or unknown.'),
    404: problemResponse('Nothing is known of this receipt.'),
  },
};

/** Adds `GET /deposits/:receipt`. */
export function addDepositRoutes(app: HttpServer, { db }: AppDependencies, guard: KeyGuard): void {
  app.get('/deposits/:receipt', { onRequest: guard, schema: depositSchema }, async (request) => {
    const receipt = readReceipt(request.params.receipt);
    const deposit = receipt.ok ? await findDeposit(db, receipt.value) : null;
    if (deposit === null) {
      throw httpProblem('not_found', {
        detail: 'No deposit and no callback has this receipt. Check its letters and digits.',
      });
    }
    return bodyOf(deposit);
  });
}

function bodyOf(deposit: DepositView) {
  const callbacks = deposit.callbacks.map(({ kind, outcome, error, receivedAt }) => ({
    kind: lowerCase(kind),
    outcome: lowerCase(outcome),
    error,
    receivedAt: receivedAt.toISOString(),
  }));
  if (deposit.outcome === 'none') return { ...deposit, callbacks };
  return {
    ...deposit,
    suggestions: [...deposit.suggestions],
    paidAt: deposit.paidAt?.toISOString() ?? null,
    createdAt: deposit.createdAt.toISOString(),
    callbacks,
  };
}
