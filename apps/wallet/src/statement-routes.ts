import { walletStatement } from '@repo/db';
import type { WalletStatement } from '@repo/db';
import { cursorParameter, lowerCase, nextCursor, problemResponse } from '@repo/http';
import type { HttpServer } from '@repo/http';
import { z } from 'zod';
import type { RouteContext } from './dependencies.ts';
import { currency, moment, money, time, walletNumber, walletParams } from './fields.ts';
import { keyProblems, limitProblem, secured } from './responses.ts';
import { ofPath } from './wallet-change-routes.ts';

const line = z.object({
  reference: z.string(),
  type: z.string(),
  direction: z.enum(['debit', 'credit']),
  counterparty: z.string().describe('the wallet on the other side'),
  amount: money,
  balanceAfter: money,
  createdAt: time,
  narrative: z.string().nullable(),
});

const statementSchema = {
  ...secured('wallets', 'What went in and out of a wallet, oldest first, with its balance after each.'),
  params: walletParams,
  querystring: z.strictObject({
    from: moment.optional().describe('the first moment of the period'),
    to: moment.optional().describe('the first moment after the period'),
    cursor: cursorParameter,
    limit: z.coerce.number().int().min(1).max(500).default(50),
  }),
  response: {
    200: z.object({
      wallet: walletNumber,
      currency,
      openingBalance: money,
      closingBalance: money,
      items: z.array(line),
      nextCursor,
    }),
    ...keyProblems,
    404: problemResponse('No wallet that can be looked up has this number.'),
    422: problemResponse('A parameter is unknown or wrong.'),
    ...limitProblem,
  },
};

/** Adds `GET /wallets/:number/statement`. */
export function addStatementRoutes(app: HttpServer, { db, limits, requireKey }: RouteContext): void {
  const options = { onRequest: requireKey('read'), schema: statementSchema };
  app.get('/wallets/:number/statement', options, (request) =>
    limits.countMisses(request, async () => {
      const { from, to, cursor, limit } = request.query;
      const statement = walletStatement(db, {
        wallet: request.params.number,
        limit,
        ...(from === undefined ? {} : { from }),
        ...(to === undefined ? {} : { to }),
        ...(cursor === undefined ? {} : { cursor }),
      });
      return bodyOf(await ofPath(statement));
    }),
  );
}

function bodyOf({ lines, ...statement }: WalletStatement) {
  const items = lines.map((each) => ({
    ...each,
    type: lowerCase(each.type),
    createdAt: each.createdAt.toISOString(),
  }));
  return { ...statement, items };
}
