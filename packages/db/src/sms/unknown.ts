import { query, read } from '../connection/handle.ts';
import type { Handle, Statement } from '../connection/handle.ts';
import { DaftariError } from '../errors.ts';
import { readBack, refusal } from '../refusals.ts';
import { isUuid, requireText } from '../request.ts';
import { INNER_COLUMNS, findSms, smsOf } from './messages.ts';
import type { Sms } from './messages.ts';

/** A report that nobody knows the message of, about the same number and of that time. */
export interface ReportSuggestion {
  readonly reportId: string;
  readonly providerMessageId: string;
  readonly status: string;
  readonly reason: string | null;
  readonly receivedAt: Date;
}

/** A message that may or may not have been sent. */
export interface UnknownSms {
  readonly sms: Sms;
  /** Reports that may be about it: evidence for a person, joined by nobody else. */
  readonly suggestions: readonly ReportSuggestion[];
}

export interface UnknownSmsPage {
  readonly messages: readonly UnknownSms[];
  /** For the next page; null on the last one. */
  readonly nextCursor: string | null;
}

/**
 * `sent`: it has been, as far as anybody knows. `send_again`: it goes back into the queue, and may reach the
 * customer twice. `failed`: it has not been sent and is not worth sending any more.
 */
export type SmsDecision = 'sent' | 'send_again' | 'failed';

export interface SmsDecisionRequest {
  readonly id: string;
  readonly decision: SmsDecision;
  /** Who decides; kept. */
  readonly decidedBy: string;
  /** On what evidence; kept. */
  readonly note: string;
  /** With `sent`: the provider's id, from a suggestion or the provider's own books; reports with it are joined. */
  readonly providerMessageId?: string;
  /** With `sent`: what it was charged by the provider's own books. */
  readonly cost?: { readonly amount: string; readonly currency: string; readonly parts?: number };
}

/**
 * Messages of unknown outcome, page by page, the longest waiting first: 100 a page (the default), and 1,000 at most.
 *
 * @throws DaftariError `invalid_request` for an invalid cursor
 */
export async function listUnknownSms(
  db: Handle,
  request: { readonly limit?: number; readonly cursor?: string } = {},
): Promise<UnknownSmsPage> {
  const limit = Math.min(Math.max(request.limit ?? 100, 1), 1000);
  const [claimedMs, id] = readCursor(request.cursor);
  const rows = await query<PlaceRow>(db, LIST, [limit + 1, claimedMs, id]);
  const places = [...Map.groupBy(rows, (row) => row.id)];
  const page = new Map(places.slice(0, limit));
  const where = { id: { in: [...page.keys()] }, phase: 'UNKNOWN' };
  // A message that was decided since then is no longer unknown.
  const found = await read(
    db.prisma.smsLog.findMany({ where, omit: INNER_COLUMNS, orderBy: [{ claimedAt: 'asc' }, { id: 'asc' }] }),
  );
  const messages = found.map((row) => {
    return { sms: smsOf(row), suggestions: (page.get(row.id) ?? []).flatMap(suggestionOf) };
  });
  return { messages, nextCursor: places.length > limit ? cursorOf([...page.values()].at(-1)) : null };
}

/** The place behind a message, which stays where it is when messages before it are decided. */
function cursorOf(rows: readonly PlaceRow[] | undefined): string | null {
  const [row] = rows ?? [];
  return row === undefined ? null : `${row.claimed_ms}_${row.id}`;
}

function readCursor(cursor: string | undefined): readonly [claimedMs: string, id: string] | [null, null] {
  if (cursor === undefined) return [null, null];
  const [, claimedMs, id] = /^(\d{1,15})_(.*)$/.exec(cursor) ?? [];
  if (claimedMs === undefined || id === undefined || !isUuid(id)) {
    throw new DaftariError('invalid_request', { field: 'cursor' });
  }
  return [claimedMs, id];
}

/**
 * Records what a person has decided about a message of unknown outcome. An answer of the provider that comes after all
 * still completes the message, and stops what waits to be sent again.
 *
 * @throws DaftariError `unknown_sms`, `nothing_to_decide` (nothing is to be decided any more), `invalid_request`
 */
export async function decideSms(db: Handle, request: SmsDecisionRequest): Promise<Sms> {
  if (!isUuid(request.id)) throw new DaftariError('unknown_sms');
  requireText('decidedBy', request.decidedBy, 100);
  requireText('note', request.note, 1000);
  const { cost, providerMessageId } = request;
  if (providerMessageId !== undefined) requireText('providerMessageId', providerMessageId, 255);
  if (cost !== undefined && !isCost(cost)) throw new DaftariError('invalid_request', { field: 'cost' });
  const [answer] = await query<{ reason: string | null }>(db, DECIDE, [
    request.id,
    request.decision,
    request.decidedBy,
    request.note,
    providerMessageId ?? null,
    cost?.amount ?? null,
    cost?.currency ?? null,
    cost?.parts ?? null,
  ]);
  if (answer === undefined) throw new DaftariError('database_error');
  if (answer.reason !== null) throw refusal(answer.reason);
  const sms = await readBack(() => findSms(db, request.id));
  if (sms === null) throw new DaftariError('unknown_sms');
  return sms;
}

function isCost({ amount, currency, parts }: NonNullable<SmsDecisionRequest['cost']>): boolean {
  const isCount = parts === undefined || (Number.isInteger(parts) && parts >= 0 && parts <= 1000);
  return /^\d{1,5}(\.\d{1,4})?$/.test(amount) && /^[A-Z]{3}$/.test(currency) && isCount;
}

/** Where a message stands in the list, with one of its suggestions. */
interface PlaceRow {
  readonly id: string;
  readonly claimed_ms: string;
  readonly report_id: string | null;
  readonly report_message_id: string | null;
  readonly report_status: string | null;
  readonly report_reason: string | null;
  readonly report_at_ms: string | null;
}

function suggestionOf(row: PlaceRow): ReportSuggestion[] {
  if (row.report_id === null) return [];
  return [
    {
      reportId: row.report_id,
      providerMessageId: row.report_message_id ?? '',
      status: row.report_status ?? '',
      reason: row.report_reason,
      receivedAt: new Date(Number(row.report_at_ms)),
    },
  ];
}

// A report can be a little older than the claim by the clocks of two servers, and days younger when a telephone is off.
const LIST: Statement = {
  name: 'sms_unknown_places',
  text: `
SELECT l.id::text AS id, (extract(epoch FROM l.claimed_at) * 1000)::bigint::text AS claimed_ms,
       r.id::text AS report_id, r.provider_message_id AS report_message_id, r.status AS report_status,
       r.reason AS report_reason, (extract(epoch FROM r.received_at) * 1000)::bigint::text AS report_at_ms
  FROM (
    SELECT * FROM services.sms_logs u
     WHERE u.phase = 'UNKNOWN'
       AND ($2::bigint IS NULL
            OR (u.claimed_at, u.id) > (timestamp 'epoch' + $2::bigint * interval '1 millisecond', $3::uuid))
     ORDER BY u.claimed_at, u.id LIMIT $1::integer
  ) l
  LEFT JOIN services.sms_delivery_reports r
    ON r.outcome = 'PARKED' AND r.phone = l.recipient AND r.provider = l.provider
   AND r.received_at BETWEEN l.claimed_at - interval '1 minute' AND l.claimed_at + interval '3 days'
   AND NOT EXISTS (
        SELECT 1 FROM services.sms_logs o
         WHERE o.provider_message_id = r.provider_message_id AND o.provider = r.provider
       )
 ORDER BY l.claimed_at, l.id, r.received_at`,
  overNodes: `
SELECT u.id::text AS id, (extract(epoch FROM u.claimed_at) * 1000)::bigint::text AS claimed_ms,
       u.report_id::text AS report_id, u.message_id AS report_message_id, u.status AS report_status,
       u.reason AS report_reason, (extract(epoch FROM u.received_at) * 1000)::bigint::text AS report_at_ms
  FROM lanes.unknown_sms(
    p_limit => $1::integer, p_after => timestamp 'epoch' + $2::bigint * interval '1 millisecond', p_id => $3::uuid
  ) u
 ORDER BY u.claimed_at, u.id, u.received_at`,
};

const DECIDE: Statement = {
  name: 'sms_decide',
  text: `
SELECT services.decide_sms(
    $1::uuid, $2::text, $3::text, $4::text, $5::text, $6::numeric, $7::text, $8::integer
) AS reason`,
};
