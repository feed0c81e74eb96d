import { PERIOD_CONTROLS, PeriodError, closePeriod, findPeriod, listPeriods, reopenPeriod } from '@repo/db';
import type { ClosedPeriod } from '@repo/db';
import { HttpProblem, problemResponse } from '@repo/http';
import type { HttpServer } from '@repo/http';
import { z } from 'zod';
import type { RouteContext } from '../dependencies.ts';
import { KEY_PROBLEMS } from '../key-problems.ts';
import { periodOf, PERIOD_PARAMETERS } from '../period.ts';
import { callerNameOf, REASON_BODY } from '../release-routes.ts';

const moment = z.iso.datetime();
const shortCode = z.string().regex(/^\d{3,10}$/);

const item = z
  .strictObject({
    control: z.enum(PERIOD_CONTROLS).describe('the total that it explains, or a part of it'),
    amount: z
      .string()
      .regex(/^-?\d{1,17}\.\d{2}$/)
      .describe('KES, two decimals, with its sign; those of a control add up to its difference'),
    note: z.string().min(1).max(500).describe('why it is so'),
    reference: z.string().max(50).optional().describe('of the break that it is about'),
  })
  .meta({ id: 'PeriodItem' });

const period = z
  .object({
    id: z.uuid(),
    shortCode: z.string(),
    from: moment,
    to: moment.describe('the first moment after it'),
    status: z.enum(['closed', 'reopened']),
    closedAt: moment.describe('what is posted from then on belongs to the day on which it is posted'),
    closedBy: z.string(),
    reconciliationId: z.uuid().describe('the report with which it was closed'),
    closingBalance: z.string().nullable().describe("M-PESA's at the end; null when no line says"),
    float: z.string().describe('what M-PESA should hold by our ledger'),
    items: z.array(item),
    reopened: z.object({ at: moment, by: z.string(), reason: z.string() }).nullable(),
  })
  .meta({ id: 'ClosedPeriod' });

const COMMON = { tags: ['statements'], security: [{ apiKey: [] }] };

const CLOSE_SCHEMA = {
  ...COMMON,
  operationId: 'closePeriod',
  summary: 'Closes the books of a period whose totals agree, or whose differences are itemised.',
  body: z
    .strictObject({
      shortCode,
      from: PERIOD_PARAMETERS.from.unwrap(),
      to: PERIOD_PARAMETERS.to.unwrap(),
      items: z.array(item).max(1_000).default([]).describe('what explains each difference'),
    })
    .meta({ examples: [{ shortCode: '600123', from: '2026-11-01', to: '2026-11-01' }] }),
  response: {
    201: period.describe('It is closed, now or before.'),
    400: problemResponse('The body is not JSON.'),
    ...KEY_PROBLEMS,
    409: problemResponse(
      '`period_not_agreed`: `findings` name what differs; `period_closed`: it overlaps a closed one.',
    ),
    422: problemResponse(
      '`periods_out_of_order`, `period_in_future`; or a field is missing, unknown or wrong.',
    ),
  },
};

const LIST_SCHEMA = {
  ...COMMON,
  operationId: 'listPeriods',
  summary: 'The periods of a short code that are or were closed, the last one first.',
  querystring: z.strictObject({ shortCode }),
  response: {
    200: z.object({ items: z.array(period) }).meta({ id: 'PeriodList' }),
    ...KEY_PROBLEMS,
    422: problemResponse('A parameter is missing, unknown or wrong.'),
  },
};

const params = z.object({ id: z.string() });

const FIND_SCHEMA = {
  ...COMMON,
  operationId: 'getPeriod',
  summary: 'A period that is or was closed.',
  params,
  response: {
    200: period,
    ...KEY_PROBLEMS,
    404: problemResponse('`unknown_period`: there is no period with this id.'),
  },
};

const REOPEN_SCHEMA = {
  ...COMMON,
  operationId: 'reopenPeriod',
  summary: 'Reopens the last closed period of a short code. The name of the key and the reason are kept.',
  params,
  body: z.strictObject(REASON_BODY),
  response: {
    200: period,
    400: problemResponse('The body is not JSON.'),
    ...KEY_PROBLEMS,
    404: problemResponse('`unknown_period`: there is no period with this id.'),
    409: problemResponse('`period_not_closed`, or `later_period_closed`: reopen that one first.'),
    422: problemResponse('A field is missing, unknown or wrong.'),
  },
};

/** Adds the ways to close, list and reopen periods. */
export function addPeriodRoutes(app: HttpServer, { db, reads, requireKey }: RouteContext): void {
  const admin = requireKey('admin');
  const read = requireKey('read');

  app.post('/periods', { onRequest: admin, schema: CLOSE_SCHEMA }, async (request, reply) => {
    const { from, to, items, shortCode: code } = request.body;
    const asked = periodOf({ from, to });
    const closed = await closePeriod(db, {
      shortCode: code,
      from: asked.from ?? new Date(from),
      to: asked.to ?? new Date(to),
      items: items.map(({ reference, ...rest }) => (reference === undefined ? rest : { ...rest, reference })),
      closedBy: callerNameOf(request),
    }).catch(explain);
    return reply.code(201).send(periodBody(closed));
  });

  app.get('/periods', { onRequest: read, schema: LIST_SCHEMA }, async (request) => {
    const periods = await reads.current((handle) => listPeriods(handle, request.query.shortCode));
    return { items: periods.map(periodBody) };
  });

  app.get('/periods/:id', { onRequest: read, schema: FIND_SCHEMA }, async (request) => {
    return periodBody(await findPeriod(db, request.params.id));
  });

  app.post('/periods/:id/reopening', { onRequest: admin, schema: REOPEN_SCHEMA }, async (request) => {
    const { reason } = request.body;
    return periodBody(
      await reopenPeriod(db, { id: request.params.id, reason, reopenedBy: callerNameOf(request) }),
    );
  });
}

/** What does not agree are findings of the request. */
function explain(error: unknown): never {
  if (!(error instanceof PeriodError)) throw error;
  throw new HttpProblem({
    code: error.code,
    status: 409,
    title: 'The totals of the period do not agree.',
    detail: error.message,
    findings: error.findings,
    cause: error,
  });
}

function periodBody({ from, to, status, closedAt, items, reopened, ...rest }: ClosedPeriod) {
  return {
    ...rest,
    from: from.toISOString(),
    to: to.toISOString(),
    status: status === 'CLOSED' ? ('closed' as const) : ('reopened' as const),
    closedAt: closedAt.toISOString(),
    items: [...items],
    reopened: reopened && { ...reopened, at: reopened.at.toISOString() },
  };
}
