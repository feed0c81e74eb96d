import { findReconciliation, reconcile } from '@repo/db';
import { problemResponse } from '@repo/http';
import type { HttpServer, Server } from '@repo/http';
import { z } from 'zod';
import type { AppDependencies } from '../dependencies.ts';
import { KEY_PROBLEMS } from '../key-problems.ts';
import { periodOf, PERIOD_PARAMETERS } from '../period.ts';
import { callerNameOf } from '../release-routes.ts';
import { reportSchema } from './report-schema.ts';
import type { Report } from './report-schema.ts';

const RUN_SCHEMA = {
  operationId: 'reconcileStatements',
  tags: ['statements'],
  summary:
    "Compares M-PESA's statements of a period with the ledger. The same files and ledger make the same report.",
  security: [{ apiKey: [] }],
  body: z
    .strictObject({
      shortCode: z.string().regex(/^\d{3,10}$/),
      from: PERIOD_PARAMETERS.from.unwrap(),
      to: PERIOD_PARAMETERS.to.unwrap(),
      heal: z
        .boolean()
        .default(false)
        .describe(
          'credit the payments that the statements show and the ledger lacks; post charges, settlements and reversals',
        ),
    })
    .meta({ examples: [{ shortCode: '600123', from: '2026-11-01', to: '2026-11-01', heal: true }] }),
  response: {
    201: reportSchema.describe('The report, which is kept.'),
    400: problemResponse('The body is not JSON.'),
    ...KEY_PROBLEMS,
    409: problemResponse('`period_closed`: a period that is closed is not healed.'),
    422: problemResponse('A field is missing, unknown or wrong.'),
  },
};

const FIND_SCHEMA = {
  operationId: 'getReconciliation',
  tags: ['statements'],
  summary: 'A report that was made, as it was answered then.',
  security: [{ apiKey: [] }],
  params: z.object({ id: z.string() }),
  response: {
    200: reportSchema,
    ...KEY_PROBLEMS,
    404: problemResponse('`unknown_reconciliation`: there is no report with this id.'),
  },
};

/** Adds `POST /reconciliations` and `GET /reconciliations/:id`. */
export function addReconciliationRoutes(
  app: HttpServer,
  { db, settings }: AppDependencies,
  requireKey: Server['requireKey'],
): void {
  app.post(
    '/reconciliations',
    { onRequest: requireKey('admin'), schema: RUN_SCHEMA },
    async (request, reply) => {
      const { shortCode, from, to, heal } = request.body;
      const period = periodOf({ from, to });
      const { maxAmount } = settings;
      const { text, healed, posted } = await reconcile(db, {
        shortCode,
        from: period.from ?? new Date(from),
        to: period.to ?? new Date(to),
        heal,
        runBy: callerNameOf(request),
        ...(maxAmount === undefined ? {} : { maxAmount }),
      });
      if (healed > 0) request.log.info({ healed }, 'payments were credited from a statement');
      if (posted > 0) request.log.info({ posted }, 'charges, settlements or reversals were posted');
      return reply.code(201).send(JSON.parse(text) as Report);
    },
  );

  app.get('/reconciliations/:id', { onRequest: requireKey('read'), schema: FIND_SCHEMA }, async (request) => {
    return JSON.parse(await findReconciliation(db, request.params.id)) as Report;
  });
}
