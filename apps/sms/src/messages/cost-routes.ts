import { costPeriod, smsCostCsv, smsCostReport } from '@repo/db';
import type { SmsCostKey, SmsCostReport } from '@repo/db';
import { jsonOrCsv, lowerCase, prefersCsv, problemResponse, wordParameter } from '@repo/http';
import type { HttpServer } from '@repo/http';
import { z } from 'zod';
import type { RouteContext } from '../dependencies.ts';
import { KEY_PROBLEMS, secured } from '../responses.ts';

const CSV = 'text/csv';

const moment = z
  .string()
  .describe(
    'a day in East Africa Time such as 2026-11-01, or a time with its zone such as 2026-11-01T06:00:00Z',
  );

const querystring = z.strictObject({
  from: moment.optional().describe('included; 30 days before `to` when absent'),
  to: moment.optional().describe('a day is included, a time is not; now when absent'),
  by: wordParameter(['day', 'status', 'network', 'template']).default('day'),
});

const SUMS = {
  messages: z.int(),
  parts: z.int().describe('as charged'),
  expectedParts: z.int().describe('as counted before sending'),
  cost: z.string().describe('decimal string with four decimals'),
  currency: z.string().describe('XXX where the provider named none'),
};

const reportSchema = z
  .object({
    from: z.iso.datetime(),
    to: z.iso.datetime(),
    rows: z.array(z.object({ key: z.string(), ...SUMS })),
    totals: z.array(z.object(SUMS)).describe('one for each currency'),
    uncosted: z
      .array(z.object({ key: z.string(), messages: z.int() }))
      .describe('messages without a cost: waiting, refused, or of unknown outcome'),
  })
  .meta({ id: 'CostReport' });

const DESCRIPTION =
  'Messages by the time when they were queued, with what they were charged. With `Accept: text/csv`, or `.csv` behind the path, as CSV.';

const PROBLEMS = {
  ...KEY_PROBLEMS,
  406: problemResponse('There is JSON and CSV.'),
  422: problemResponse('`from`, `to` or `by` is not as it must be.'),
};

const JSON_SCHEMA = {
  operationId: 'getCostReport',
  ...secured('costs', 'What the messages of a period cost.'),
  description: DESCRIPTION,
  querystring,
  response: {
    200: jsonOrCsv('The report.', reportSchema),
    ...PROBLEMS,
  },
};

const CSV_SCHEMA = {
  operationId: 'getCostReportAsCsv',
  ...secured('costs', 'What the messages of a period cost, as CSV.'),
  description: DESCRIPTION,
  querystring,
  response: {
    200: { description: 'The report.', content: { [CSV]: { schema: z.string() } } },
    ...PROBLEMS,
  },
};

/** Adds the report of costs. */
export function addCostRoutes(app: HttpServer, { reads, requireKey }: RouteContext): void {
  const read = async (query: z.output<typeof querystring>) => {
    const period = costPeriod(query);
    const by: SmsCostKey = query.by;
    const report = await reads.recent((handle) => smsCostReport(handle, { ...period, by }));
    return { ...period, report: query.by === 'status' ? inLowerCase(report) : report };
  };

  app.get('/reports/cost', { onRequest: requireKey('read'), schema: JSON_SCHEMA }, async (request, reply) => {
    const isCsv = prefersCsv(request);
    const { from, to, report } = await read(request.query);
    if (isCsv) return reply.type(`${CSV}; charset=utf-8`).send(smsCostCsv(report));
    return reply
      .type('application/json')
      .send({ from: from.toISOString(), to: to.toISOString(), ...bodyOf(report) });
  });

  app.get(
    '/reports/cost.csv',
    { onRequest: requireKey('read'), schema: CSV_SCHEMA },
    async (request, reply) => {
      const { report } = await read(request.query);
      return reply.type(`${CSV}; charset=utf-8`).send(smsCostCsv(report));
    },
  );
}

function inLowerCase({ rows, totals, uncosted }: SmsCostReport): SmsCostReport {
  const lowered = <Row extends { readonly key: string }>(row: Row) => ({ ...row, key: lowerCase(row.key) });
  return { rows: rows.map(lowered), totals, uncosted: uncosted.map(lowered) };
}

function bodyOf({ rows, totals, uncosted }: SmsCostReport) {
  return { rows: [...rows], totals: [...totals], uncosted: [...uncosted] };
}
