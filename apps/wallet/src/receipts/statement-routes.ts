import { walletStatement } from '@repo/db';
import type { WalletStatement } from '@repo/db';
import { cursorParameter, negotiate, nextCursor, problemResponse } from '@repo/http';
import type { HttpServer } from '@repo/http';
import { z } from 'zod';
import type { RouteContext } from '../dependencies.ts';
import { currency, moment, money, time, walletNumber, walletParams } from '../fields.ts';
import { lang } from './masked-facts.ts';
import { KEY_PROBLEMS, LIMIT_PROBLEM, secured } from '../responses.ts';
import { entryOf, given, sendStatementFile } from './statement-file.ts';
import { ofPath } from '../wallets/wallet-change-routes.ts';

const line = z
  .object({
    reference: z.string(),
    type: z.string(),
    direction: z.enum(['debit', 'credit']),
    counterparty: z.string().describe('the wallet on the other side'),
    amount: money,
    balanceAfter: money,
    createdAt: time,
    narrative: z.string().nullable(),
  })
  .meta({ id: 'StatementLine' });

const MEDIA_TYPES = ['application/json', 'text/csv', 'application/pdf'] as const;

const BY_EXTENSION = { csv: 'text/csv', pdf: 'application/pdf' } as const;

const querystring = z.strictObject({
  from: moment.optional().describe('the first moment of the period'),
  to: moment.optional().describe('the first moment after the period'),
  cursor: cursorParameter,
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(500)
    .optional()
    .describe('how many movements a page of JSON has. Default: 50'),
  lang: lang.optional().describe("the language of the PDF; the wallet's when absent"),
});

const PROBLEMS = {
  ...KEY_PROBLEMS,
  404: problemResponse('No wallet that can be looked up has this number.'),
  406: problemResponse('There is JSON, CSV and PDF.'),
  422: problemResponse(
    '`statement_too_long`: a CSV or PDF has no room for so many movements. Or a parameter is unknown or wrong.',
  ),
  ...LIMIT_PROBLEM,
};

const AS_FILE = { 'text/csv': { schema: z.string() }, 'application/pdf': { schema: z.string() } };

const STATEMENT_SCHEMA = {
  ...secured('wallets', 'What went in and out of a wallet, oldest first, with its balance after each.'),
  operationId: 'readStatement',
  description:
    'JSON comes page by page. With `Accept: text/csv` or `application/pdf`, or `.csv` or `.pdf` behind the path, the whole period comes as one file. A key with the scope admin gets the name of the holder in full.',
  params: walletParams,
  querystring,
  response: {
    200: {
      description: 'The statement.',
      content: {
        'application/json': {
          schema: z
            .object({
              wallet: walletNumber,
              currency,
              openingBalance: money,
              closingBalance: money,
              items: z.array(line),
              nextCursor,
            })
            .meta({ id: 'Statement' }),
        },
        ...AS_FILE,
      },
    },
    ...PROBLEMS,
  },
};

/** Adds `GET /wallets/:number/statement`, and the same with `.csv` and `.pdf` behind it. */
export function addStatementRoutes(
  app: HttpServer,
  { db, reads, issuer, limits, requireKey }: RouteContext,
): void {
  const options = { onRequest: requireKey('read'), schema: STATEMENT_SCHEMA };
  app.get('/wallets/:number/statement', options, (request, reply) =>
    limits.countMisses(request, async () => {
      const type = negotiate(request, MEDIA_TYPES);
      const { from, to, cursor, limit } = request.query;
      const wallet = request.params.number;
      void reply.header('vary', 'accept');
      if (type !== 'application/json') {
        return sendStatementFile({ db, reads, issuer, request, reply }, { ...request.query, wallet, type });
      }
      const asked = { wallet, limit: limit ?? 50, ...given({ from, to, cursor }) };
      const statement = reads.current((handle) => walletStatement(handle, asked));
      return reply.type(type).send(bodyOf(await ofPath(statement)));
    }),
  );

  for (const [extension, type] of Object.entries(BY_EXTENSION)) {
    const name = extension.toUpperCase();
    const schema = {
      ...secured('wallets', `What went in and out of a wallet in a period, as ${name}.`),
      operationId: `readStatementAs${name}`,
      params: walletParams,
      querystring,
      response: {
        200: { description: 'The statement.', content: { [type]: { schema: z.string() } } },
        ...PROBLEMS,
      },
    };
    app.get(
      `/wallets/:number/statement.${extension}`,
      { onRequest: requireKey('read'), schema },
      (request, reply) =>
        limits.countMisses(request, async () => {
          const asked = { ...request.query, wallet: request.params.number, type };
          await sendStatementFile({ db, reads, issuer, request, reply }, asked);
          return reply;
        }),
    );
  }
}

function bodyOf({ lines, ...statement }: WalletStatement) {
  return { ...statement, items: lines.map(entryOf) };
}
