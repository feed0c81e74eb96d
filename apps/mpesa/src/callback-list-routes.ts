import { isUtf8 } from 'node:buffer';
import { findCallback, listCallbacks, resolveCallback } from '@repo/db';
import type { CallbackItem, CallbackOutcome } from '@repo/db';
import {
  csvAnswer,
  cursorParameter,
  httpProblem,
  idempotencyHeaders,
  jsonOrCsv,
  lowerCase,
  pageSchema,
  prefersCsv,
  problemResponse,
  requireIdempotencyKey,
  wordParameter,
} from '@repo/http';
import type { HttpServer } from '@repo/http';
import { z } from 'zod';
import { decisionBody, decisionSchema } from './decision-view.ts';
import type { RouteContext } from './dependencies.ts';
import { KEY_PROBLEMS } from './key-problems.ts';
import { periodOf, PERIOD_PARAMETERS } from './period.ts';
import { seesPayers } from './personal-data.ts';
import { callerNameOf, REASON_BODY } from './release-routes.ts';

const OUTCOMES = [
  'credited',
  'duplicate',
  'suspense',
  'held',
  'conflict',
  'quarantined',
  'validated',
  'noted',
  'failed',
] as const satisfies readonly Lowercase<CallbackOutcome>[];

const FIELDS = {
  id: z.string(),
  kind: z.string(),
  receipt: z.string().nullable().describe('null when none could be read'),
  outcome: z.enum(OUTCOMES),
  error: z.string().nullable().describe('why it could not be used, or why the payment waits'),
  source: z.string().nullable().describe('the address that it came from'),
  amount: z.string().nullable().describe('what a conflict said; null for everything else'),
  shortCode: z.string().nullable().describe('what a conflict said; null for everything else'),
  receivedAt: z.iso.datetime(),
  decision: decisionSchema.nullable().describe('what a person decided about it; null while nobody has'),
};

const item = z.object(FIELDS).meta({ id: 'ListedCallback' });

type Item = z.output<typeof item>;

const SECURITY = [{ apiKey: [] }];
const TAGS = ['callbacks'];

const LIST_SCHEMA = {
  operationId: 'listCallbacks',
  tags: TAGS,
  summary: 'What reached the inbox, the latest first.',
  description:
    'JSON, or CSV with `Accept: text/csv`. What waits for people has the outcome conflict, held, quarantined or failed.',
  security: SECURITY,
  querystring: z.strictObject({
    outcome: wordParameter(OUTCOMES).optional(),
    receipt: z.string().min(1).max(50).optional(),
    ...PERIOD_PARAMETERS,
    decided: wordParameter(['hide', 'show'])
      .default('hide')
      .describe('show: also those about which a person has decided'),
    cursor: cursorParameter,
    limit: z.coerce.number().int().min(1).max(1_000).default(50),
  }),
  response: {
    200: jsonOrCsv('A page of callbacks, without their bodies.', pageSchema('CallbackPage', item)),
    ...KEY_PROBLEMS,
    406: problemResponse('There is JSON and CSV.'),
    422: problemResponse('A parameter is unknown or wrong.'),
  },
};

const params = z.object({ id: z.string().describe('`id` of the list') });

const ONE_SCHEMA = {
  operationId: 'getCallback',
  tags: TAGS,
  summary: 'One callback, with its body as it was received.',
  security: SECURITY,
  params,
  response: {
    200: z
      .object({
        ...FIELDS,
        body: z.object({
          encoding: z.enum(['utf8', 'base64']).describe('base64 where the bytes are not UTF-8'),
          content: z.string(),
        }),
      })
      .meta({ id: 'Callback' }),
    ...KEY_PROBLEMS,
    404: problemResponse('No callback has this id.'),
  },
};

const RESOLUTION_SCHEMA = {
  operationId: 'resolveCallback',
  tags: TAGS,
  summary: 'Decides about a callback that waits for a person: a conflict, or one that could not be used.',
  description:
    'keep: what is recorded stays as it is. correct, for a conflict: the callback is right, and the difference to the deposit moves between the float and the wallet that was credited, once for a receipt.',
  security: SECURITY,
  headers: idempotencyHeaders,
  params,
  body: z.strictObject({ decision: z.enum(['keep', 'correct']), ...REASON_BODY }),
  response: {
    200: z
      .object({
        id: z.string(),
        decision: z.enum(['keep', 'correct']),
        reference: z
          .string()
          .nullable()
          .describe('of the correction that was posted; null when no money moved'),
      })
      .meta({ id: 'CallbackResolution' }),
    400: problemResponse('`Idempotency-Key` is missing, or the body is not JSON.'),
    ...KEY_PROBLEMS,
    404: problemResponse('`unknown_callback`: no callback has this id.'),
    409: problemResponse('`already_resolved` in another way; or `key_reused`.'),
    422: problemResponse(
      'Nothing moved: `nothing_to_resolve`, `not_correctable`, `insufficient_funds`, `wallet_frozen`, `wallet_closed`.',
    ),
  },
};

/** Adds the list of the inbox, one callback with its body, and the way to decide about one. */
export function addCallbackListRoutes(app: HttpServer, { db, reads, requireKey }: RouteContext): void {
  app.get('/callbacks', { onRequest: requireKey('read'), schema: LIST_SCHEMA }, async (request, reply) => {
    const isCsv = prefersCsv(request);
    const { outcome, receipt, from, to, decided, cursor, limit } = request.query;
    const asked = {
      ...periodOf({ from, to }),
      withDecided: decided === 'show',
      limit,
      ...(outcome === undefined ? {} : { outcome: outcome.toUpperCase() as CallbackOutcome }),
      ...(receipt === undefined ? {} : { receipt }),
      ...(cursor === undefined ? {} : { cursor }),
    };
    const page = await reads.current((handle) => listCallbacks(handle, asked));
    const items = page.items.map((each) => itemBody(each, seesPayers(request)));
    const { nextCursor } = page;
    if (isCsv) return csvAnswer(reply, { name: 'callbacks', columns: COLUMNS, rows: items, nextCursor });
    return { items, nextCursor };
  });

  // A body is all that M-PESA knows of a payer.
  app.get('/callbacks/:id', { onRequest: requireKey('admin'), schema: ONE_SCHEMA }, async (request) => {
    const found = await findCallback(db, request.params.id);
    if (found === null) throw httpProblem('not_found', { detail: 'No callback has this id.' });
    const { body, ...rest } = found;
    const bytes = Buffer.from(body);
    const encoding = isUtf8(bytes) ? 'utf8' : 'base64';
    return { ...itemBody(rest, true), body: { encoding, content: bytes.toString(encoding) } } as const;
  });

  const resolve = { onRequest: [requireKey('admin'), requireIdempotencyKey], schema: RESOLUTION_SCHEMA };
  app.post('/callbacks/:id/resolution', resolve, async (request) => {
    const { id } = request.params;
    const { decision, reason } = request.body;
    const { reference } = await resolveCallback(db, {
      id,
      decision,
      reason,
      decidedBy: callerNameOf(request),
      idempotencyKey: request.headers['idempotency-key'],
    });
    request.log.info({ callback: id, decision, reference }, 'a person has decided about a callback');
    return { id, decision, reference };
  });
}

function itemBody({ kind, outcome, receivedAt, decision, ...rest }: CallbackItem, seesAll: boolean): Item {
  return {
    ...rest,
    kind: lowerCase(kind),
    outcome: lowerCase(outcome),
    receivedAt: receivedAt.toISOString(),
    decision: decision === null ? null : decisionBody(decision, seesAll),
  };
}

const COLUMNS = {
  id: (each: Item) => each.id,
  kind: (each: Item) => each.kind,
  receipt: (each: Item) => each.receipt,
  outcome: (each: Item) => each.outcome,
  error: (each: Item) => each.error,
  source: (each: Item) => each.source,
  amount: (each: Item) => each.amount,
  shortCode: (each: Item) => each.shortCode,
  receivedAt: (each: Item) => each.receivedAt,
  decision: (each: Item) => each.decision?.decision ?? null,
  decidedBy: (each: Item) => each.decision?.decidedBy ?? null,
};
