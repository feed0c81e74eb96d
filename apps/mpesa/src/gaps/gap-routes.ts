import { listGaps } from '@repo/db';
import type { Gap } from '@repo/db';
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
import type { RouteContext } from '../dependencies.ts';
import { KEY_PROBLEMS } from '../key-problems.ts';
import { periodOf, PERIOD_PARAMETERS } from '../period.ts';
import { GAP_KINDS } from './gap-metrics.ts';

const gap = z
  .object({
    kind: z
      .enum(GAP_KINDS)
      .describe(
        "balance_jump: the organisation's balance rises by more than the payments; silence: no payment in hours that are usually busy; missed_callback: a payment that was found by other means and recorded",
      ),
    shortCode: z.string(),
    from: z.iso.datetime().describe('it lies between this moment and `to`'),
    to: z.iso.datetime(),
    amount: z
      .string()
      .nullable()
      .describe(
        'KES, two decimals: at least so much is missing, or the amount of the payment; null for a silence',
      ),
    usual: z
      .number()
      .int()
      .nullable()
      .describe('how many payments usually come in a silence, by the hour and the weekday; null otherwise'),
    receipts: z.array(z.string()).describe('of the payments around it, or of the payment'),
    advice: z.string().describe('what to do'),
  })
  .meta({ id: 'Gap' });

type Item = z.output<typeof gap>;

const LIST_SCHEMA = {
  operationId: 'listGaps',
  tags: ['gaps'],
  summary: 'Where payments may be missing, and what to do about it, the latest first.',
  description:
    'JSON, or CSV with `Accept: text/csv`. Worked out from what is recorded now: a payment that comes or is pulled later closes its gap. The last 24 hours without `from` and `to`, and at most seven days.',
  security: [{ apiKey: [] }],
  querystring: z.strictObject({
    ...PERIOD_PARAMETERS,
    shortCode: z
      .string()
      .regex(/^[\x21-\x7e]{1,20}$/)
      .optional()
      .describe('of one paybill or till alone'),
    kind: wordParameter(GAP_KINDS).optional(),
    cursor: cursorParameter,
    limit: z.coerce.number().int().min(1).max(1_000).default(50),
  }),
  response: {
    200: jsonOrCsv('A page of gaps.', pageSchema('GapPage', gap)),
    ...KEY_PROBLEMS,
    406: problemResponse('There is JSON and CSV.'),
    422: problemResponse('A parameter is unknown or wrong, or the period is longer than seven days.'),
  },
};

/** Adds `GET /gaps`. */
export function addGapRoutes(app: HttpServer, { reads, requireKey }: RouteContext): void {
  app.get('/gaps', { onRequest: requireKey('read'), schema: LIST_SCHEMA }, async (request, reply) => {
    const isCsv = prefersCsv(request);
    const { from, to, shortCode, kind, cursor, limit } = request.query;
    const asked = {
      ...periodOf({ from, to }),
      limit,
      ...(shortCode === undefined ? {} : { shortCode }),
      ...(kind === undefined ? {} : { kind }),
      ...(cursor === undefined ? {} : { cursor }),
    };
    const page = await reads.current((handle) => listGaps(handle, asked));
    const items = page.items.map(itemBody);
    const { nextCursor } = page;
    if (isCsv) return csvAnswer(reply, { name: 'gaps', columns: COLUMNS, rows: items, nextCursor });
    return { items, nextCursor };
  });
}

function itemBody({ from, to, receipts, ...rest }: Gap): Item {
  return { ...rest, from: from.toISOString(), to: to.toISOString(), receipts: [...receipts] };
}

const COLUMNS = {
  kind: (each: Item) => each.kind,
  shortCode: (each: Item) => each.shortCode,
  from: (each: Item) => each.from,
  to: (each: Item) => each.to,
  amount: (each: Item) => each.amount,
  usual: (each: Item) => (each.usual === null ? null : String(each.usual)),
  receipts: (each: Item) => each.receipts.join(' '),
  advice: (each: Item) => each.advice,
};
