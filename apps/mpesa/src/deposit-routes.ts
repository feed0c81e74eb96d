import { findDeposit } from '@repo/db';
import type { DepositView, WitnessView } from '@repo/db';
import { httpProblem, lowerCase, problemResponse } from '@repo/http';
import type { HttpServer, Server } from '@repo/http';
import { z } from 'zod';
import { decisionBody, decisionSchema } from './decision-view.ts';
import type { AppDependencies } from './dependencies.ts';
import { KEY_PROBLEMS } from './key-problems.ts';
import { maskAccount, maskName, maskPhone, seesPayers } from './personal-data.ts';
import { suggestionsSchema } from './suggestion.ts';

const HISTORY = {
  callbacks: z.array(
    z.object({
      kind: z.string(),
      outcome: z.string(),
      error: z.string().nullable(),
      receivedAt: z.iso.datetime(),
    }),
  ),
  witnesses: z
    .array(
      z.object({
        kind: z.string(),
        amount: z.string().describe('KES, two decimals'),
        shortCode: z.string(),
        account: z.string().nullable(),
        phone: z.string().nullable(),
        name: z.string().nullable(),
        otherWallet: z
          .string()
          .nullable()
          .describe('the wallet that it means, where that is another than the one credited'),
        at: z.iso.datetime(),
      }),
    )
    .describe(
      'what further kinds of messages told of the receipt; account, phone and name are masked for keys without the scope `admin`',
    ),
  decisions: z.array(decisionSchema).describe('what people decided about it'),
};

const TIMES = {
  paidAt: z.iso
    .datetime()
    .nullable()
    .describe('when the customer paid; null for deposits before this was kept'),
  createdAt: z.iso.datetime().describe('when it was recorded'),
};

const posted = z
  .object({
    receipt: z.string(),
    outcome: z.enum(['credited', 'suspense']),
    reason: z.string().optional().describe('why it waits in suspense'),
    suggestions: suggestionsSchema,
    amount: z.string().describe('KES, two decimals'),
    wallet: z.string().describe('the wallet credited'),
    reference: z.string(),
    ...TIMES,
    verificationHash: z.string(),
    ...HISTORY,
  })
  .meta({ id: 'Deposit' });

const kept = z
  .object({
    receipt: z.string(),
    outcome: z
      .enum(['held', 'rejected', 'unposted'])
      .describe(
        'held: above MPESA_MAX_AMOUNT; rejected: a person put it aside; unposted: logged without a transaction',
      ),
    amount: z.string().describe('KES, two decimals'),
    ...TIMES,
    ...HISTORY,
  })
  .meta({ id: 'KeptDeposit' });

const callbacksOnly = z
  .object({
    receipt: z.string(),
    outcome: z.literal('none').describe('no deposit was recorded, but there are callbacks with this receipt'),
    ...HISTORY,
  })
  .meta({ id: 'UnrecordedDeposit' });

const DEPOSIT_SCHEMA = {
  operationId: 'getDeposit',
  tags: ['deposits'],
  summary: 'A deposit and every callback that concerned it.',
  security: [{ apiKey: [] }],
  params: z.object({ receipt: z.string().describe('the M-PESA receipt, in any case') }),
  response: {
    200: z.union([posted, kept, callbacksOnly]).meta({ id: 'FoundDeposit' }),
    ...KEY_PROBLEMS,
    404: problemResponse('Nothing is known of this receipt.'),
  },
};

/** Adds `GET /deposits/:receipt`. */
export function addDepositRoutes(
  app: HttpServer,
  { db }: AppDependencies,
  requireKey: Server['requireKey'],
): void {
  const find = { onRequest: requireKey('read'), schema: DEPOSIT_SCHEMA };
  app.get('/deposits/:receipt', find, async (request) => {
    const deposit = await findDeposit(db, request.params.receipt);
    if (deposit === null) {
      throw httpProblem('not_found', {
        detail: 'No deposit and no callback has this receipt. Check its letters and digits.',
      });
    }
    return depositBody(deposit, seesPayers(request));
  });
}

/** A deposit as it is answered. */
function depositBody(deposit: DepositView, seesAll: boolean) {
  const callbacks = deposit.callbacks.map(({ kind, outcome, error, receivedAt }) => ({
    kind: lowerCase(kind),
    outcome: lowerCase(outcome),
    error,
    receivedAt: receivedAt.toISOString(),
  }));
  const history = {
    callbacks,
    witnesses: deposit.witnesses.map((each) => witnessBody(each, seesAll)),
    decisions: deposit.decisions.map((each) => decisionBody(each, seesAll)),
  };
  if (deposit.outcome === 'none') return { ...deposit, ...history };
  const paidAt = deposit.paidAt?.toISOString() ?? null;
  const dates = { paidAt, createdAt: deposit.createdAt.toISOString() };
  if (!('wallet' in deposit)) return { ...deposit, ...dates, ...history };
  return { ...deposit, suggestions: [...deposit.suggestions], ...dates, ...history };
}

function witnessBody({ account, phone, name, at, ...facts }: WitnessView, seesAll: boolean) {
  const shown = (text: string | null, mask: (text: string) => string) =>
    text === null || seesAll ? text : mask(text);
  return {
    ...facts,
    kind: lowerCase(facts.kind),
    account: shown(account, maskAccount),
    phone: shown(phone, maskPhone),
    name: shown(name, maskName),
    at: at.toISOString(),
  };
}
