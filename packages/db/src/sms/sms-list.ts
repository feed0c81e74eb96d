import type { Handle, Statement } from '../connection/handle.ts';
import { DaftariError } from '../errors.ts';
import { isUuid } from '../request.ts';
import { SMS_COLUMNS, smsOf } from './messages.ts';
import type { Sms, SmsRow } from './messages.ts';
import { query } from '../connection/handle.ts';

export interface SmsListRequest {
  /** The recipient's number in any form; or the reference of a transaction, such as an M-PESA receipt. */
  readonly by: { readonly phone: string } | { readonly reference: string };
  /** Messages a page, 1 to 1,000. Default: 100. */
  readonly limit?: number;
  /** `nextCursor` of the page before. */
  readonly cursor?: string;
}

export interface SmsPage {
  readonly messages: readonly Sms[];
  /** For the next page; null on the last one. */
  readonly nextCursor: string | null;
}

/**
 * The messages to a number, or about a transaction, the newest first.
 *
 * @throws DaftariError `invalid_request` for a cursor that no page gave
 */
export async function listSms(db: Handle, request: SmsListRequest): Promise<SmsPage> {
  const { by } = request;
  const limit = Math.min(Math.max(request.limit ?? 100, 1), 1_000);
  const [at, id] = request.cursor === undefined ? [null, null] : readCursor(request.cursor);
  const [statement, text] =
    'phone' in by ? [BY_PHONE, by.phone.replaceAll(/[\s-]/g, '')] : [BY_REFERENCE, by.reference.trim()];
  if (!text.isWellFormed() || text.includes('\0')) return { messages: [], nextCursor: null };
  const rows = await query<SmsRow>(db, statement, [text, at, id, limit + 1]);
  const messages = rows.slice(0, limit).map(smsOf);
  const last = messages.at(-1);
  const isLast = rows.length <= limit || last === undefined;
  return { messages, nextCursor: isLast ? null : `${String(last.createdAt.getTime())}_${last.id}` };
}

function readCursor(cursor: string): readonly [at: string, id: string] {
  const [, milliseconds = '', id = ''] = /^(\d{1,14})_(.+)$/.exec(cursor) ?? [];
  if (milliseconds === '' || !isUuid(id)) throw new DaftariError('invalid_request', { field: 'cursor' });
  return [new Date(Number(milliseconds)).toISOString().slice(0, -1), id];
}

const pageOf = (condition: string) => `
SELECT ${SMS_COLUMNS}
  FROM services.sms_logs l
 WHERE ${condition}
   AND ($2::timestamp IS NULL OR (l.created_at, l.id) < ($2::timestamp, $3::uuid))
 ORDER BY l.created_at DESC, l.id DESC
 LIMIT $4::integer`;

const BY_PHONE: Statement = {
  name: 'sms_list_by_phone',
  text: pageOf(`l.recipient = coalesce(core.normalize_phone($1::text), ltrim($1::text, '+'))`),
};

// People type references in small letters.
const BY_REFERENCE: Statement = {
  name: 'sms_list_by_reference',
  text: pageOf('l.transaction_reference IN ($1::text, upper($1::text))'),
};
