import { StatementRowsError, importStatement } from '@repo/db';
import type { ImportedStatement } from '@repo/db';
import { HttpProblem, problemResponse } from '@repo/http';
import type { HttpServer, Server } from '@repo/http';
import { z } from 'zod';
import type { AppDependencies } from '../dependencies.ts';
import { KEY_PROBLEMS } from '../key-problems.ts';
import { callerNameOf } from '../release-routes.ts';
import { spool, takeStreams } from './spool.ts';

/** A statement of a million lines has less than 200 MiB. */
const MOST_MEBIBYTES = 512;

const imported = z
  .object({
    id: z.string().describe('from the file and the short code'),
    form: z
      .enum(['A', 'B', 'C'])
      .describe("A: the organisation portal's; B: the newer portal's; C: a till's full statement"),
    shortCode: z.string(),
    account: z.string().nullable().describe('as the file names it'),
    from: z.iso.datetime().nullable().describe('the first moment that it covers'),
    to: z.iso.datetime().nullable().describe('the last moment that it covers'),
    rows: z.int().describe('rows that are meant as lines: new, duplicate or skipped'),
    lines: z.int().describe('lines that no file had shown before'),
    skipped: z.int().describe('rows that could not be used'),
    duplicateLines: z.int(),
    openingBalance: z.string().optional().describe('as the file states it'),
    closingBalance: z.string().optional().describe('as the file states it'),
    sha256: z.string().describe('of the file'),
    skippedRows: z.array(z.string()).describe('the first hundred of them: row, column and reason'),
  })
  .meta({ id: 'ImportedStatement' });

const SCHEMA = {
  operationId: 'importStatement',
  tags: ['statements'],
  summary: 'Imports a statement of M-PESA. A file that was imported before changes nothing.',
  description:
    'The body is the file, CSV or XLSX, of any form; its content says which. A line that another file has shown is not added again.',
  security: [{ apiKey: [] }],
  consumes: ['text/csv', 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet'],
  querystring: z.strictObject({
    shortCode: z
      .string()
      .regex(/^\d{3,10}$/)
      .optional()
      .describe('the paybill or till that it is of, for files that do not say'),
    skipBadRows: z
      .stringbool()
      .default(false)
      .describe('import all but the rows that cannot be used, instead of nothing'),
  }),
  response: {
    201: imported.describe('It is imported.'),
    200: imported.describe('It was imported before; this is what it came to then.'),
    400: problemResponse('The body broke off.'),
    ...KEY_PROBLEMS,
    409: problemResponse('`period_closed`: the file has a new line of a closed period.'),
    413: problemResponse('The file has more than 512 MiB.'),
    422: problemResponse(
      'Nothing was imported: `invalid_statement`, `invalid_rows` (`findings` name row and column), `short_code_needed`, `short_code_differs`; or a parameter is wrong.',
    ),
  },
};

/** Adds `POST /statements`. */
export async function addStatementRoutes(
  app: HttpServer,
  { db }: AppDependencies,
  requireKey: Server['requireKey'],
): Promise<void> {
  await app.register((scope: HttpServer, _options, done) => {
    takeStreams(scope);
    scope.post('/statements', { onRequest: requireKey('admin'), schema: SCHEMA }, async (request, reply) => {
      const { shortCode, skipBadRows } = request.query;
      await using file = await spool(request, MOST_MEBIBYTES);
      const statement = await importStatement(db, file.path, {
        skipBadRows,
        importedBy: callerNameOf(request),
        ...(shortCode === undefined ? {} : { shortCode }),
      }).catch(explain);
      return reply.code(statement.isRepeat ? 200 : 201).send(statementBody(statement));
    });
    done();
  });
}

/** Rows that cannot be used are findings of the request. */
function explain(error: unknown): never {
  if (!(error instanceof StatementRowsError)) throw error;
  throw new HttpProblem({
    code: error.code,
    status: 422,
    title: 'Rows of the statement cannot be used.',
    detail: error.message,
    findings: error.findings,
    cause: error,
  });
}

function statementBody({ from, to, isRepeat: _isRepeat, skippedRows, ...statement }: ImportedStatement) {
  return {
    ...statement,
    from: from?.toISOString() ?? null,
    to: to?.toISOString() ?? null,
    skippedRows: [...skippedRows],
  };
}
