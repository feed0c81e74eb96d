import { BREAK_ACTIONS, BREAK_REASONS, SHEET_REFUSALS, SheetError, changeBreaksBySheet } from '@repo/db';
import { HttpProblem, problemResponse, XLSX_TYPE } from '@repo/http';
import type { HttpServer, Server } from '@repo/http';
import { z } from 'zod';
import type { AppDependencies } from '../dependencies.ts';
import { KEY_PROBLEMS } from '../key-problems.ts';
import { callerNameOf } from '../release-routes.ts';
import { spool, takeStreams } from './spool.ts';

/** A sheet of a thousand breaks with their longest texts has less. */
const MOST_MEBIBYTES = 8;

const row = z.int().describe('as spreadsheets count');

const outcome = z
  .object({
    applied: z.boolean().describe('whether the changes were made'),
    rows: z.int().describe('rows with something in them, below the header'),
    untouched: z.int().describe('rows that ask for nothing'),
    changes: z
      .array(
        z
          .object({
            row,
            id: z.uuid(),
            action: z.enum(BREAK_ACTIONS),
            assignee: z.string().nullable(),
            reason: z.enum(BREAK_REASONS).nullable(),
            comment: z.string().nullable().describe('null when it stays as it is'),
            evidence: z.string().nullable().describe('null when it stays as it is'),
          })
          .meta({ id: 'SheetChange' }),
      )
      .describe('what was changed, or would be'),
    refused: z.array(
      z
        .object({
          row,
          id: z.uuid().nullable(),
          reason: z.enum(SHEET_REFUSALS),
          column: z.string().nullable(),
          what: z.string().describe('of the cell; of a stale row what was done since, and by whom'),
        })
        .meta({ id: 'RefusedSheetRow' }),
    ),
  })
  .meta({ id: 'BreakSheetOutcome' });

const SCHEMA = {
  operationId: 'changeBreaksBySheet',
  tags: ['statements'],
  summary: 'Says what a sheet of breaks would change, or does it.',
  description:
    'The body is the sheet of `GET /breaks`, edited and saved as XLSX. A row asks for what its column `action` says, with the cells of assignee, reason, comment and evidence; a row without an action asks for nothing. Each row holds the version of its break: one that has moved on is refused.',
  security: [{ apiKey: [] }],
  consumes: [XLSX_TYPE],
  querystring: z.strictObject({
    apply: z.stringbool().default(false).describe('make the changes; without it nothing is changed'),
    skipRefused: z
      .stringbool()
      .default(false)
      .describe('make the others when rows are refused, instead of none'),
  }),
  response: {
    200: outcome,
    400: problemResponse('The body broke off.'),
    ...KEY_PROBLEMS,
    409: problemResponse(
      '`sheet_refused`: rows are refused, and nothing was changed; `findings` name row, column and reason.',
    ),
    413: problemResponse('The file has more than 8 MiB.'),
    422: problemResponse('`invalid_sheet`: the file is no such sheet; or a parameter is wrong.'),
  },
};

/** Adds `POST /breaks/sheet`. */
export async function addBreakSheetRoutes(
  app: HttpServer,
  { db }: AppDependencies,
  requireKey: Server['requireKey'],
): Promise<void> {
  await app.register((scope: HttpServer, _options, done) => {
    takeStreams(scope);
    scope.post('/breaks/sheet', { onRequest: requireKey('admin'), schema: SCHEMA }, async (request) => {
      const { apply, skipRefused } = request.query;
      await using file = await spool(request, MOST_MEBIBYTES);
      const { isApplied, changes, refused, ...counts } = await changeBreaksBySheet(db, file.path, {
        by: callerNameOf(request),
        isApplied: apply,
        skipRefused,
      }).catch(explain);
      return { ...counts, applied: isApplied, changes: [...changes], refused: [...refused] };
    });
    done();
  });
}

/** Rows that are refused are findings of the request. */
function explain(error: unknown): never {
  if (!(error instanceof SheetError)) throw error;
  throw new HttpProblem({
    code: error.code,
    status: 409,
    title: 'Rows of the sheet cannot be applied.',
    detail: error.message,
    findings: error.findings,
    cause: error,
  });
}
