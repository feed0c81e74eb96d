import { checkPayerStatement } from '@repo/db';
import { problemResponse } from '@repo/http';
import type { HttpServer, Server } from '@repo/http';
import { z } from 'zod';
import type { AppDependencies } from '../dependencies.ts';
import { KEY_PROBLEMS } from '../key-problems.ts';
import { spool, takeStreams } from './spool.ts';

/** Six months of a busy payer have less than one. */
const MOST_MEBIBYTES = 16;

const amount = z.string().describe('KES, two decimals');
const moment = z.iso.datetime().nullable();

const evidence = z
  .object({
    sha256: z.string().describe('of the file'),
    pages: z.int(),
    lines: z.int().describe('of the statement'),
    passedOver: z
      .object({ charges: z.int(), moneyIn: z.int(), notCompleted: z.int(), otherPayee: z.int() })
      .describe('lines that are no payments that could have reached us'),
    agrees: z.int(),
    differs: z.int(),
    unknown: z.int(),
    items: z.array(
      z
        .object({
          receipt: z.string(),
          state: z
            .enum(['agrees', 'differs', 'unknown'])
            .describe('unknown: no payment with this receipt reached us'),
          amount: amount.describe("as the payer's statement shows it; KES, two decimals"),
          at: moment,
          payee: z
            .string()
            .nullable()
            .describe('the paybill or till that was paid, where the statement says so'),
          ledger: z
            .object({
              amount,
              isPosted: z.boolean().describe('false: it is kept and not credited'),
              shortCode: z.string().nullable(),
              paidAt: moment,
            })
            .nullable(),
        })
        .meta({ id: 'EvidenceItem' }),
    ),
  })
  .meta({ id: 'Evidence' });

const SCHEMA = {
  operationId: 'checkPayerStatement',
  tags: ['statements'],
  summary: "Compares a payer's own statement, a PDF, with the ledger. Nothing is imported.",
  description:
    'The body is the PDF that M-PESA gives customers, with or without a password. Payments are found by their receipts. It is evidence in a dispute and no proof: anybody can write a PDF. The file is not kept.',
  security: [{ apiKey: [] }],
  consumes: ['application/pdf'],
  querystring: z.strictObject({
    shortCode: z
      .string()
      .regex(/^\d{3,10}$/)
      .optional()
      .describe('look for payments to this paybill or till, and for those that name none'),
  }),
  headers: z.object({
    'x-file-password': z.string().min(1).max(127).optional().describe('opens the PDF, where it has one'),
  }),
  response: {
    200: evidence,
    400: problemResponse('The body broke off.'),
    ...KEY_PROBLEMS,
    413: problemResponse('The file has more than 16 MiB.'),
    422: problemResponse(
      '`invalid_statement`: the file is no such PDF, or its password is missing or wrong; or a parameter is wrong.',
    ),
  },
};

/** Adds `POST /statements/evidence`. */
export async function addEvidenceRoutes(
  app: HttpServer,
  { db }: AppDependencies,
  requireKey: Server['requireKey'],
): Promise<void> {
  await app.register((scope: HttpServer, _options, done) => {
    takeStreams(scope);
    scope.post(
      '/statements/evidence',
      { onRequest: requireKey('admin'), schema: SCHEMA },
      async (request) => {
        const { shortCode } = request.query;
        const password = request.headers['x-file-password'];
        await using file = await spool(request, MOST_MEBIBYTES);
        const { items, ...found } = await checkPayerStatement(db, file.path, {
          ...(shortCode === undefined ? {} : { shortCode }),
          ...(password === undefined ? {} : { password }),
        });
        const { sha256, agrees, differs, unknown } = found;
        request.log.info(
          { sha256, agrees, differs, unknown },
          "a payer's statement was compared with the ledger",
        );
        return {
          ...found,
          items: items.map(({ at, ledger, ...item }) => ({
            ...item,
            at: at?.toISOString() ?? null,
            ledger: ledger && { ...ledger, paidAt: ledger.paidAt?.toISOString() ?? null },
          })),
        };
      },
    );
    done();
  });
}
