import { findTransaction } from '@repo/db';
import type { LedgerIntake, TransactionView } from '@repo/db';
import { idempotencyHeaders, lowerCase, problemResponse, requireIdempotencyKey } from '@repo/http';
import type { HttpServer } from '@repo/http';
import { z } from 'zod';
import type { RouteContext } from '../dependencies.ts';
import { amount, currency, money, narrative, time, verificationHash, walletNumber } from '../fields.ts';
import { postedBody, postedSchema, statusOf } from './posted.ts';
import { unknownTransaction } from '../problems.ts';
import { readReference } from './reference.ts';
import { KEY_PROBLEMS, LIMIT_PROBLEM, secured } from '../responses.ts';

const params = z.object({ reference: z.string().describe('the reference, in any case') });
const unknown = problemResponse('`unknown_transaction`: no transaction has this reference.');

const VIEW_SCHEMA = {
  operationId: 'getTransaction',
  ...secured('transactions', 'A movement of money, and what was sent back of it.'),
  params,
  response: {
    200: z
      .object({
        reference: z.string(),
        type: z.string(),
        from: walletNumber,
        to: walletNumber,
        amount: money,
        currency,
        createdAt: time,
        verificationHash: verificationHash.nullable(),
        narrative: z.string().nullable(),
        reverses: z.string().optional().describe('the transaction that this one sends back'),
        reversedBy: z.array(z.string()).optional().describe('the transactions that send this one back'),
        remaining: money.describe('what can still be sent back'),
      })
      .meta({ id: 'Transaction' }),
    ...KEY_PROBLEMS,
    404: unknown,
    ...LIMIT_PROBLEM,
  },
};

const reversalAnswer = postedSchema
  .extend({ reverses: z.string(), remaining: money })
  .meta({ id: 'Reversal' });

const REVERSAL_SCHEMA = {
  operationId: 'reverseTransaction',
  ...secured('transactions', 'Sends money back, whole or in part, up to what is left of the transaction.'),
  headers: idempotencyHeaders,
  params,
  body: z
    .strictObject({
      amount: amount.optional().describe('all that is left when absent'),
      narrative: narrative.optional(),
    })
    .nullish(),
  response: {
    201: reversalAnswer.describe('The money is sent back.'),
    200: reversalAnswer.describe('It was sent back before, for the same key.'),
    400: problemResponse('`Idempotency-Key` is missing, or the body is not JSON.'),
    ...KEY_PROBLEMS,
    404: unknown,
    409: problemResponse('`already_reversed`: nothing is left of it; or `key_reused`.'),
    422: problemResponse(
      'Nothing moved: `funds_spent`, `exceeds_remaining`, `not_reversible`, `not_divisible` and others.',
    ),
    ...LIMIT_PROBLEM,
  },
};

/** Adds the routes that show a transaction and reverse it. */
export function addTransactionRoutes(
  app: HttpServer,
  { db, limits, requireKey }: RouteContext,
  ledger: LedgerIntake,
): void {
  const view = { onRequest: requireKey('read'), schema: VIEW_SCHEMA };
  app.get('/transactions/:reference', view, (request) =>
    limits.countMisses(request, async () => {
      const transaction = await findTransaction(db, readReference(request.params.reference));
      if (transaction === null) throw unknownTransaction();
      return viewBody(transaction);
    }),
  );

  // It takes money out of somebody's wallet without asking them, which is for administrators.
  const reversal = { onRequest: [requireKey('admin'), requireIdempotencyKey], schema: REVERSAL_SCHEMA };
  app.post('/transactions/:reference/reversal', reversal, (request, reply) =>
    limits.countMisses(request, async () => {
      const { amount: part, narrative: text } = request.body ?? {};
      // The transaction that is sent back must be the one that is shown under the same name. If no transaction has this
      // name, the ledger refuses, because it remembers the refusal under the key.
      const named = readReference(request.params.reference);
      const reference = (await findTransaction(db, named))?.reference ?? named[1];
      const posted = await ledger.reverseTransaction({
        reference,
        idempotencyKey: request.headers['idempotency-key'],
        ...(part === undefined ? {} : { amount: part }),
        ...(text === undefined ? {} : { narrative: text }),
      });
      const { reverses, remaining } = posted;
      return reply.code(statusOf(posted)).send({ ...postedBody(posted), reverses, remaining });
    }),
  );
}

function viewBody({ from, to, createdAt, reverses, reversedBy, ...transaction }: TransactionView) {
  return {
    ...transaction,
    from: from.number,
    to: to.number,
    type: lowerCase(transaction.type),
    createdAt: createdAt.toISOString(),
    ...(reverses === null ? {} : { reverses }),
    ...(reversedBy.length === 0 ? {} : { reversedBy: [...reversedBy] }),
  };
}
