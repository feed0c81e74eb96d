import {
  BREAK_ACTIONS,
  BREAK_AGES,
  BREAK_REASONS,
  BREAK_STATUSES,
  RECONCILIATION_STATES,
  breakHistory,
  changeBreaks,
  listBreaks,
  listReceivables,
} from '@repo/db';
import type { BreakFilter, BreakStatus, WorkedBreak } from '@repo/db';
import {
  csvAnswer,
  jsonOrCsv,
  negotiate,
  problemResponse,
  wordParameter,
  XLSX_TYPE,
  xlsxAnswer,
} from '@repo/http';
import type { HttpServer } from '@repo/http';
import type { XlsxColumn } from '@repo/xlsx/write';
import { z } from 'zod';
import type { RouteContext } from '../dependencies.ts';
import { KEY_PROBLEMS } from '../key-problems.ts';
import { callerNameOf } from '../release-routes.ts';

const STATUSES = [
  'open',
  'assigned',
  'proposed',
  'approved',
  'resolved',
] as const satisfies readonly Lowercase<BreakStatus>[];

const amount = z.string().describe('KES, two decimals');
const moment = z.iso.datetime();

const FIELDS = {
  id: z.uuid(),
  shortCode: z.string(),
  side: z.enum(['statement', 'ledger']).describe('which of the two shows it'),
  state: z.enum(RECONCILIATION_STATES),
  why: z
    .string()
    .nullable()
    .describe('as the report says it; explained_after_decision: the truth came after a person had decided'),
  reference: z.string(),
  kind: z.string(),
  amount,
  ledgerAmount: amount.nullable(),
  at: moment,
  age: z.enum(BREAK_AGES),
  dueAt: moment,
  isOverdue: z.boolean(),
  status: z.enum(STATUSES),
  assignee: z.string().nullable(),
  proposedBy: z.string().nullable(),
  reason: z.enum(BREAK_REASONS).nullable(),
  comment: z.string().nullable(),
  evidence: z.string().nullable(),
  version: z.int().describe('counts what happened to it'),
};

const worked = z.object(FIELDS).meta({ id: 'WorkedBreak' });
type Item = z.output<typeof worked>;

const COLUMNS = Object.fromEntries(
  Object.keys(FIELDS).map((field) => [field, (item: Item) => textOf(item[field as keyof Item])]),
);

/** Columns that are wider than others, or hold numbers. */
const SHEET_STYLES: Partial<Record<keyof Item, Omit<XlsxColumn<Item>, 'cell'>>> = {
  id: { width: 38 },
  state: { width: 16 },
  why: { width: 26 },
  amount: { kind: 'amount' },
  ledgerAmount: { kind: 'amount' },
  at: { width: 26 },
  dueAt: { width: 26 },
  reason: { width: 16, choices: BREAK_REASONS },
  comment: { width: 40 },
  evidence: { width: 40 },
  version: { kind: 'count', width: 8 },
};

/** The sheet that `POST /breaks/sheet` takes: all fields, and the column in which people say what is to be done. */
const SHEET: Record<string, XlsxColumn<Item>> = {
  ...Object.fromEntries(
    Object.entries(COLUMNS).map(([field, cell]) => [field, { ...SHEET_STYLES[field as keyof Item], cell }]),
  ),
  action: { cell: () => null, choices: BREAK_ACTIONS },
};

function textOf(value: Item[keyof Item]): string | null {
  return value === null ? null : String(value);
}

const money = z.string().regex(/^\d{1,17}(\.\d{1,2})?$/);

const FILTER = {
  shortCode: z
    .string()
    .regex(/^\d{3,10}$/)
    .optional(),
  status: wordParameter(STATUSES).optional(),
  state: wordParameter(RECONCILIATION_STATES).optional(),
  age: z.enum(BREAK_AGES).optional().describe('less than a day, one to three, three to seven, more'),
  assignee: z.string().min(1).max(100).optional(),
  minAmount: money.optional(),
  maxAmount: money.optional(),
};

const COMMON = { tags: ['statements'], security: [{ apiKey: [] }] };

const LISTED = jsonOrCsv('The breaks.', z.object({ items: z.array(worked) }).meta({ id: 'BreakList' }));

const LIST_SCHEMA = {
  ...COMMON,
  operationId: 'listBreaks',
  summary:
    'What reconciliation left open and what people did about it, those that are due first at the beginning.',
  description: `JSON, CSV with \`Accept: text/csv\`, or with \`Accept: ${XLSX_TYPE}\` a sheet that \`POST /breaks/sheet\` takes back. At most 1,000.`,
  querystring: z.strictObject({ ...FILTER, overdue: z.stringbool().optional() }),
  response: {
    200: {
      description: LISTED.description,
      content: { ...LISTED.content, [XLSX_TYPE]: { schema: z.string() } },
    },
    ...KEY_PROBLEMS,
    406: problemResponse('There is JSON, CSV and XLSX.'),
    422: problemResponse('A parameter is unknown or wrong.'),
  },
};

const text = z
  .string()
  .trim()
  .min(1)
  .max(1_000)
  .refine((each) => each.isWellFormed() && !each.includes('\0'), 'must be well-formed text without NUL');

const CHANGE_SCHEMA = {
  ...COMMON,
  operationId: 'changeBreaks',
  summary:
    'Assigns, proposes, approves, rejects, resolves or reopens breaks: by id, or all that a filter finds.',
  description:
    'Another key than the one that proposed approves. A break is changed or refused by itself; `dryRun` counts, and changes nothing.',
  body: z
    .strictObject({
      action: z.enum(BREAK_ACTIONS),
      breaks: z
        .array(z.strictObject({ id: z.uuid(), version: z.int().optional().describe('that was seen') }))
        .max(1_000)
        .optional(),
      filter: z.strictObject({ ...FILTER, overdue: z.boolean().optional() }).optional(),
      assignee: text.max(100).optional().describe('required to assign'),
      reason: z.enum(BREAK_REASONS).optional().describe('required to propose'),
      comment: text.optional().describe('required to reopen'),
      evidence: text.optional().describe('where the proof is'),
      dryRun: z.boolean().default(false),
    })
    .refine(
      ({ breaks, filter }) => (breaks === undefined) !== (filter === undefined),
      'name either breaks or a filter',
    )
    .meta({
      examples: [{ action: 'assign', filter: { shortCode: '600123' }, assignee: 'Akinyi', dryRun: true }],
    }),
  response: {
    200: z
      .object({
        changed: z.int().describe('how many were changed, or would be'),
        refused: z.array(
          z.object({
            id: z.uuid(),
            reason: z.enum(['unknown_break', 'stale', 'wrong_status', 'same_person']),
          }),
        ),
      })
      .meta({ id: 'BreakChanges' }),
    400: problemResponse('The body is not JSON.'),
    ...KEY_PROBLEMS,
    422: problemResponse('A field is missing, unknown or wrong.'),
  },
};

const HISTORY_SCHEMA = {
  ...COMMON,
  operationId: 'getBreakHistory',
  summary: 'What was done about a break, and by whom, oldest first.',
  params: z.object({ id: z.string() }),
  response: {
    200: z
      .object({
        items: z.array(
          z
            .object({
              version: z.int(),
              action: z.enum([...BREAK_ACTIONS, 'found', 'changed', 'explained']),
              status: z.enum(STATUSES),
              actor: z.string(),
              assignee: z.string().nullable(),
              reason: z.enum(BREAK_REASONS).nullable(),
              comment: z.string().nullable(),
              evidence: z.string().nullable(),
              at: moment,
            })
            .meta({ id: 'BreakEvent' }),
        ),
      })
      .meta({ id: 'BreakHistory' }),
    ...KEY_PROBLEMS,
    404: problemResponse('`unknown_break`: there is no break with this id.'),
  },
};

const OWED_SCHEMA = {
  ...COMMON,
  operationId: 'listReceivables',
  summary: 'What is owed for payments that M-PESA took back when their money was spent, the newest first.',
  response: {
    200: z
      .object({
        outstanding: amount.describe('what is owed in all, less what was collected'),
        items: z.array(
          z
            .object({
              reference: z.string(),
              receipt: z.string().describe('of the payment that was taken back'),
              wallet: z.string().describe('that it had been credited to'),
              amount,
              postedAt: moment,
            })
            .meta({ id: 'Receivable' }),
        ),
      })
      .meta({ id: 'ReceivableList' }),
    ...KEY_PROBLEMS,
  },
};

/** Adds the lists of what is open and owed, and the way in which people work on what is open. */
export function addBreakRoutes(app: HttpServer, { db, reads, requireKey }: RouteContext): void {
  const read = requireKey('read');

  app.get('/breaks', { onRequest: read, schema: LIST_SCHEMA }, async (request, reply) => {
    const type = negotiate(request, ['application/json', 'text/csv', XLSX_TYPE]);
    const found = await reads.current((handle) => listBreaks(handle, filterOf(request.query)));
    const items = found.map(breakBody);
    if (type === XLSX_TYPE) {
      await xlsxAnswer(reply, { name: 'breaks', columns: SHEET, rows: items });
      return reply;
    }
    return type === 'text/csv'
      ? csvAnswer(reply, { name: 'breaks', columns: COLUMNS, rows: items })
      : { items };
  });

  app.post('/breaks/changes', { onRequest: requireKey('admin'), schema: CHANGE_SCHEMA }, async (request) => {
    const { action, breaks, filter, dryRun, assignee, reason, comment, evidence } = request.body;
    const { changed, refused } = await changeBreaks(db, {
      action,
      by: callerNameOf(request),
      breaks:
        breaks?.map(({ id, version }) => (version === undefined ? { id } : { id, version })) ??
        filterOf(filter ?? {}),
      isTrial: dryRun,
      ...(assignee === undefined ? {} : { assignee }),
      ...(reason === undefined ? {} : { reason }),
      ...(comment === undefined ? {} : { comment }),
      ...(evidence === undefined ? {} : { evidence }),
    });
    return { changed, refused: [...refused] };
  });

  app.get('/breaks/:id/history', { onRequest: read, schema: HISTORY_SCHEMA }, async (request) => {
    const events = await breakHistory(db, request.params.id);
    return {
      items: events.map(({ at, status, ...event }) => ({
        ...event,
        status: status.toLowerCase() as Lowercase<BreakStatus>,
        at: at.toISOString(),
      })),
    };
  });

  app.get('/receivables', { onRequest: read, schema: OWED_SCHEMA }, async () => {
    const { outstanding, rows } = await reads.current((handle) => listReceivables(handle));
    return {
      outstanding,
      items: rows.map(({ postedAt, ...row }) => ({ ...row, postedAt: postedAt.toISOString() })),
    };
  });
}

type FilterParameters = {
  readonly [Field in keyof typeof FILTER]?: z.output<(typeof FILTER)[Field]> | undefined;
} & { readonly overdue?: boolean | undefined };

function filterOf({ overdue, status, ...rest }: FilterParameters): BreakFilter {
  const given = Object.entries(rest).filter(([, value]) => value !== undefined);
  const wanted = BREAK_STATUSES.find((each) => each.toLowerCase() === status);
  return {
    ...(Object.fromEntries(given) as Omit<BreakFilter, 'status' | 'isOverdue'>),
    ...(wanted === undefined ? {} : { status: wanted }),
    ...(overdue === undefined ? {} : { isOverdue: overdue }),
  };
}

function breakBody({ at, dueAt, status, ...rest }: WorkedBreak): Item {
  return {
    ...rest,
    at: at.toISOString(),
    dueAt: dueAt.toISOString(),
    status: status.toLowerCase() as Lowercase<BreakStatus>,
  };
}
