import { listSms, listUnknownSms } from '@repo/db';
import type { Handle, ReportSuggestion, Sms } from '@repo/db';
import {
  csvAnswer,
  cursorParameter,
  httpProblem,
  jsonOrCsv,
  pageSchema,
  prefersCsv,
  problemResponse,
  wordParameter,
} from '@repo/http';
import type { HttpServer } from '@repo/http';
import { z } from 'zod';
import type { RouteContext } from '../dependencies.ts';
import { hasScope } from './routes.ts';
import { messageBody, messageSchema } from './view.ts';
import { KEY_PROBLEMS, secured } from '../responses.ts';

const suggestionSchema = z
  .object({
    providerMessageId: z.string(),
    status: z.string(),
    reason: z.string().nullable(),
    receivedAt: z.iso.datetime(),
  })
  .meta({ id: 'ReportSuggestion' });

const querystring = z
  .strictObject({
    status: wordParameter(['unknown']).optional().describe('messages that may or may not have been sent'),
    phone: z
      .string()
      .min(1)
      .max(40)
      .optional()
      .describe('messages to this number, in any usual form; only for keys with the scope admin'),
    reference: z
      .string()
      .min(1)
      .max(50)
      .optional()
      .describe('messages about the transaction with this reference, such as an M-PESA receipt'),
    cursor: cursorParameter,
    limit: z.coerce.number().int().min(1).max(1_000).default(100),
  })
  .refine(
    (query) => [query.status, query.phone, query.reference].filter((one) => one !== undefined).length === 1,
    { message: 'say one of `status`, `phone` and `reference`' },
  );

type Query = z.output<typeof querystring>;

const LIST_SCHEMA = {
  ...secured('messages', 'Messages to a number, about a transaction, or of unknown outcome.'),
  operationId: 'listMessages',
  description:
    'By `phone` or `reference` the newest come first; numbers are masked and texts left out unless the key has the scope admin. Those of unknown outcome, only for keys with the scope admin, come the longest waiting first: they wait for people, because sending them again could reach a customer twice. `suggestions` are reports about the same number and time whose message nobody knows: evidence that it was sent.',
  querystring,
  response: {
    200: jsonOrCsv(
      'The messages.',
      pageSchema(
        'MessagePage',
        messageSchema
          .extend({
            message: z.string().optional().describe('the text; only for keys with the scope admin'),
            suggestions: z.array(suggestionSchema).optional().describe('only of unknown outcomes'),
          })
          .meta({ id: 'ListedMessage' }),
      ),
    ),
    ...KEY_PROBLEMS,
    406: problemResponse('There is JSON and CSV.'),
    422: problemResponse('Not one of `status`, `phone` and `reference` is there, or a parameter is wrong.'),
  },
};

interface Item extends z.input<typeof messageSchema> {
  readonly message?: string;
  readonly suggestions?: {
    readonly providerMessageId: string;
    readonly status: string;
    readonly reason: string | null;
    readonly receivedAt: string;
  }[];
}

/** Adds `GET /messages`. */
export function addMessageListRoutes(app: HttpServer, { reads, requireKey }: RouteContext): void {
  const options = { onRequest: requireKey('read'), schema: LIST_SCHEMA };
  app.get('/messages', options, async (request, reply) => {
    const isCsv = prefersCsv(request);
    const isAdmin = hasScope(request, 'admin');
    if (!isAdmin && request.query.reference === undefined) {
      throw httpProblem('forbidden', { detail: 'This list needs a key with the scope `admin`.' });
    }
    const { items, nextCursor } = await reads.current((handle) => readPage(handle, request.query, isAdmin));
    if (!isCsv) return reply.type('application/json').send({ items, nextCursor });
    return reply.send(csvAnswer(reply, { name: 'messages', columns: COLUMNS, rows: items, nextCursor }));
  });
}

async function readPage(
  db: Handle,
  { phone, reference, limit, cursor }: Query,
  isAdmin: boolean,
): Promise<{ items: Item[]; nextCursor: string | null }> {
  const place = { limit, ...(cursor === undefined ? {} : { cursor }) };
  if (phone === undefined && reference === undefined) {
    const { messages, nextCursor } = await listUnknownSms(db, place);
    const items = messages.map(({ sms, suggestions }) => ({
      ...itemOf(sms, true),
      suggestions: suggestions.map(suggestionBody),
    }));
    return { items, nextCursor };
  }
  const by = phone === undefined ? { reference: reference ?? '' } : { phone };
  const { messages, nextCursor } = await listSms(db, { by, ...place });
  return { items: messages.map((sms) => itemOf(sms, isAdmin)), nextCursor };
}

function itemOf(sms: Sms, isAdmin: boolean): Item {
  return { ...messageBody(sms, { showsNumber: isAdmin }), ...(isAdmin ? { message: sms.message } : {}) };
}

function suggestionBody({ providerMessageId, status, reason, receivedAt }: ReportSuggestion) {
  return { providerMessageId, status, reason, receivedAt: receivedAt.toISOString() };
}

const COLUMNS = {
  id: (item: Item) => item.id,
  createdAt: (item: Item) => item.createdAt,
  recipient: (item: Item) => item.recipient,
  template: (item: Item) => item.template,
  language: (item: Item) => item.language,
  transactionReference: (item: Item) => item.transactionReference,
  status: (item: Item) => item.status,
  phase: (item: Item) => item.phase,
  sentAt: (item: Item) => item.sentAt,
  deliveredAt: (item: Item) => item.deliveredAt,
  deliveryStatus: (item: Item) => item.deliveryStatus,
  errorCode: (item: Item) => item.errorCode,
  attempts: (item: Item) => item.attempts,
  parts: (item: Item) => item.parts,
  cost: (item: Item) => item.cost,
  currency: (item: Item) => item.currency,
  message: (item: Item) => item.message ?? null,
};
