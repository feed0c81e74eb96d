import type { CallbackKind } from './inbox.ts';
import { query, read } from '../connection/handle.ts';
import type { Handle, Statement } from '../connection/handle.ts';
import { decisionOf } from './find-deposit.ts';
import type { DecisionView } from './find-deposit.ts';
import { DaftariError } from '../errors.ts';
import type { Prisma } from '../generated/client.ts';
import { receiptKey } from './receipt.ts';
import { isUuid, requireTime } from '../request.ts';
import { LANES as LANE_COUNT } from '../lanes.ts';

export type CallbackOutcome =
  | 'CREDITED'
  | 'DUPLICATE'
  | 'SUSPENSE'
  | 'HELD'
  | 'CONFLICT'
  | 'QUARANTINED'
  | 'VALIDATED'
  | 'NOTED'
  | 'FAILED';

/** A message of the inbox, without its body. */
export interface CallbackItem {
  readonly id: string;
  readonly kind: CallbackKind;
  readonly receipt: string | null;
  readonly outcome: CallbackOutcome;
  readonly error: string | null;
  readonly source: string | null;
  /** What a conflict said; null for everything else. */
  readonly amount: string | null;
  readonly shortCode: string | null;
  readonly receivedAt: Date;
  /** What a person decided about it; null while nobody has. */
  readonly decision: DecisionView | null;
}

/** A message with its body as received, which is full of personal data. */
export interface CallbackDetail extends CallbackItem {
  readonly body: Uint8Array;
}

export interface CallbackPage {
  /** The latest first. */
  readonly items: readonly CallbackItem[];
  /** For the next page; null on the last one. */
  readonly nextCursor: string | null;
}

export interface CallbackListRequest {
  readonly outcome?: CallbackOutcome;
  readonly receipt?: string;
  /** When they came: from this moment on. */
  readonly from?: Date;
  /** Before this moment. */
  readonly to?: Date;
  /** Whether those about which a person has decided are wanted too; false when absent. */
  readonly withDecided?: boolean;
  readonly cursor?: string;
  /** Messages a page, 1 to 1,000. Default: 50. */
  readonly limit?: number;
}

/** Ids hold the time too, to the millisecond at which a row was made, which can be later than its column says. */
const SLACK_MS = 3_600_000;

/**
 * Messages of the inbox, page by page. A page does not shift when messages arrive: the cursor is an id, which sorts by
 * time.
 *
 * @throws DaftariError `invalid_request` naming the field
 */
export async function listCallbacks(db: Handle, request: CallbackListRequest = {}): Promise<CallbackPage> {
  const { outcome, receipt, from, to, withDecided = false, cursor, limit: asked = 50 } = request;
  if (cursor !== undefined && !isUuid(cursor)) throw new DaftariError('invalid_request', { field: 'cursor' });
  if (!Number.isInteger(asked)) throw new DaftariError('invalid_request', { field: 'limit' });
  const limit = Math.min(Math.max(asked, 1), 1_000);
  const ids: Prisma.UuidFilter[] = [
    ...(cursor === undefined ? [] : [{ lt: cursor }]),
    ...(from === undefined ? [] : [{ gte: firstId(from.getTime() - SLACK_MS) }]),
    ...(to === undefined ? [] : [{ lt: firstId(to.getTime() + SLACK_MS) }]),
  ];
  const isDistributed = await liesOnNodes(db);
  const rows = await read(
    db.prisma.mpesaCallback.findMany({
      where: isDistributed
        ? { lane: { in: LANES }, id: { in: await idsOverNodes(db, request, limit + 1) } }
        : {
            AND: ids.map((id) => ({ id })),
            ...(outcome === undefined ? {} : { outcome }),
            ...(receipt === undefined ? {} : { receipt: receiptKey(receipt) }),
            receivedAt: {
              ...(from === undefined ? {} : { gte: from }),
              ...(to === undefined ? {} : { lt: to }),
            },
            ...(withDecided ? {} : { decisions: { none: {} } }),
          },
      omit: { body: true },
      include: { decisions: { orderBy: { id: 'desc' }, take: 1 } },
      orderBy: { id: 'desc' },
      take: limit + 1,
    }),
  );
  const items = rows.slice(0, limit).map(itemOf);
  return { items, nextCursor: rows.length > limit ? (items.at(-1)?.id ?? null) : null };
}

const liesOnNodes = (db: Handle): Promise<boolean> =>
  db.form.isDistributed((question) => query(db, question, []));

/** Where the inbox lies on several servers, its keys begin with the lane. */
const LANES = Array.from({ length: LANE_COUNT }, (_, lane) => lane);

/** The page's messages where they lie on other servers than what was decided about them: a function looks at both. */
async function idsOverNodes(db: Handle, request: CallbackListRequest, limit: number): Promise<string[]> {
  const { outcome = null, receipt, from, to, withDecided = false, cursor } = request;
  const first = from === undefined ? FIRST_ID : firstId(from.getTime() - SLACK_MS);
  const behind = to === undefined ? LAST_ID : firstId(to.getTime() + SLACK_MS);
  const rows = await query<{ id: string }>(db, PAGE_OVER_NODES, [
    cursor !== undefined && cursor.toLowerCase() < behind ? cursor : behind,
    first,
    outcome,
    receipt === undefined ? null : receiptKey(receipt),
    from === undefined ? null : requireTime('from', from),
    to === undefined ? null : requireTime('to', to),
    !withDecided,
    limit,
  ]);
  return rows.map(({ id }) => id);
}

const FIRST_ID = '00000000-0000-0000-0000-000000000000';
const LAST_ID = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

const PAGE_OVER_NODES: Statement = {
  name: 'callbacks_before',
  text: `
SELECT i::text AS id
  FROM lanes.callbacks_before(
    $1::uuid, $2::uuid, $3::text, $4::text, $5::timestamp, $6::timestamp, $7::boolean, $8::integer
  ) AS i`,
};

/** One message of the inbox with its body, or null. */
export async function findCallback(db: Handle, id: string): Promise<CallbackDetail | null> {
  if (!isUuid(id)) return null;
  const include = { decisions: { orderBy: { id: 'desc' }, take: 1 } } as const;
  const where = (await liesOnNodes(db)) ? { lane: { in: LANES }, id } : { id };
  const row = await read(db.prisma.mpesaCallback.findFirst({ where, include }));
  return row === null ? null : { ...itemOf(row), body: row.body };
}

type Row = Prisma.MpesaCallbackGetPayload<{ omit: { body: true }; include: { decisions: true } }>;

function itemOf(row: Row): CallbackItem {
  const [decision] = row.decisions;
  return {
    id: row.id,
    kind: row.kind as CallbackKind,
    receipt: row.receipt,
    outcome: row.outcome as CallbackOutcome,
    error: row.error,
    source: row.source,
    amount: row.amount?.toFixed(2) ?? null,
    shortCode: row.shortCode,
    receivedAt: row.receivedAt,
    decision: decision === undefined ? null : decisionOf(decision),
  };
}

/** The first id of a moment. */
export function firstId(ms: number): string {
  const hex = Math.max(ms, 0).toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-7000-8000-000000000000`;
}
