import { listDeposits } from '@repo/db';
import type { DepositItem } from '@repo/db';
import {
  csvAnswer,
  cursorParameter,
  jsonOrCsv,
  pageSchema,
  prefersCsv,
  problemResponse,
  wordParameter,
} from '@repo/http';
import type { HttpServer } from '@repo/http';
import { z } from 'zod';
import type { RouteContext } from './dependencies.ts';
import { KEY_PROBLEMS } from './key-problems.ts';
import { periodOf, PERIOD_PARAMETERS } from './period.ts';
import { maskAccount, maskName, maskPhone, seesPayers } from './personal-data.ts';

const OUTCOMES = ['credited', 'suspense', 'held', 'rejected', 'unposted'] as const;

const item = z
  .object({
    receipt: z.string(),
    outcome: z.enum(OUTCOMES).describe('what it is now'),
    amount: z.string().describe('KES, two decimals'),
    wallet: z.string().nullable().describe('the wallet credited; null when none was'),
    shortCode: z.string().nullable().describe('the paybill or till that was paid'),
    account: z
      .string()
      .nullable()
      .describe('what the payer typed; masked for keys without the scope `admin`'),
    phone: z.string().nullable().describe("the payer's number; masked for keys without the scope `admin`"),
    payerName: z.string().nullable().describe('masked for keys without the scope `admin`'),
    paidAt: z.iso.datetime().nullable().describe('when the customer paid'),
    createdAt: z.iso.datetime().describe('when it was recorded'),
  })
  .meta({ id: 'ListedDeposit' });

type Item = z.output<typeof item>;

const LIST_SCHEMA = {
  operationId: 'listDeposits',
  tags: ['deposits'],
  summary: 'Payments by the time when they were recorded, the latest first.',
  description: 'JSON, or CSV with `Accept: text/csv`.',
  security: [{ apiKey: [] }],
  querystring: z.strictObject({
    ...PERIOD_PARAMETERS,
    outcome: wordParameter(OUTCOMES).optional(),
    cursor: cursorParameter,
    limit: z.coerce.number().int().min(1).max(1_000).default(50),
  }),
  response: {
    200: jsonOrCsv('A page of payments.', pageSchema('DepositPage', item)),
    ...KEY_PROBLEMS,
    406: problemResponse('There is JSON and CSV.'),
    422: problemResponse('A parameter is unknown or wrong.'),
  },
};

/** Adds `GET /deposits`. */
export function addDepositListRoutes(app: HttpServer, { reads, requireKey }: RouteContext): void {
  app.get('/deposits', { onRequest: requireKey('read'), schema: LIST_SCHEMA }, async (request, reply) => {
    const isCsv = prefersCsv(request);
    const { from, to, outcome, cursor, limit } = request.query;
    const asked = {
      ...periodOf({ from, to }),
      limit,
      ...(outcome === undefined ? {} : { outcome }),
      ...(cursor === undefined ? {} : { cursor }),
    };
    const page = await reads.current((handle) => listDeposits(handle, asked));
    const items = page.items.map((each) => itemBody(each, seesPayers(request)));
    const { nextCursor } = page;
    if (isCsv) return csvAnswer(reply, { name: 'deposits', columns: COLUMNS, rows: items, nextCursor });
    return { items, nextCursor };
  });
}

function itemBody(
  { account, phone, payerName, paidAt, createdAt, ...rest }: DepositItem,
  seesAll: boolean,
): Item {
  const shown = (text: string | null, mask: (text: string) => string) =>
    text === null || seesAll ? text : mask(text);
  return {
    ...rest,
    account: shown(account, maskAccount),
    phone: shown(phone, maskPhone),
    payerName: shown(payerName, maskName),
    paidAt: paidAt?.toISOString() ?? null,
    createdAt: createdAt.toISOString(),
  };
}

const COLUMNS = {
  receipt: (each: Item) => each.receipt,
  outcome: (each: Item) => each.outcome,
  amount: (each: Item) => each.amount,
  wallet: (each: Item) => each.wallet,
  shortCode: (each: Item) => each.shortCode,
  account: (each: Item) => each.account,
  phone: (each: Item) => each.phone,
  payerName: (each: Item) => each.payerName,
  paidAt: (each: Item) => each.paidAt,
  createdAt: (each: Item) => each.createdAt,
};
