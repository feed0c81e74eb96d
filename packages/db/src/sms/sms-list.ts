import { query, read } from '../connection/handle.ts';
import type { Handle, Statement } from '../connection/handle.ts';
import { DaftariError } from '../errors.ts';
import type { Prisma } from '../generated/client.ts';
import { isUuid } from '../request.ts';
import { INNER_COLUMNS, smsOf } from './messages.ts';
import type { Sms } from './messages.ts';

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
  const { by, cursor } = request;
  const limit = Math.min(Math.max(request.limit ?? 100, 1), 1_000);
  const behind = cursor === undefined ? {} : behindCursor(cursor);
  const text = ('phone' in by ? by.phone.replaceAll(/[\s-]/g, '') : by.reference).trim();
  if (!text.isWellFormed() || text.includes('\0')) return { messages: [], nextCursor: null };
  const about =
    'phone' in by
      ? { recipient: await numberOf(db, text) }
      : // People type references in small letters.
        { transactionReference: { in: [text, text.toUpperCase()] } };
  const rows = await read(
    db.prisma.smsLog.findMany({
      where: { ...about, ...behind },
      omit: INNER_COLUMNS,
      orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
      take: limit + 1,
    }),
  );
  const messages = rows.slice(0, limit).map(smsOf);
  const last = messages.at(-1);
  const isLast = rows.length <= limit || last === undefined;
  return { messages, nextCursor: isLast ? null : `${String(last.createdAt.getTime())}_${last.id}` };
}

function behindCursor(cursor: string): Prisma.SmsLogWhereInput {
  const [, milliseconds = '', id = ''] = /^(\d{1,14})_(.+)$/.exec(cursor) ?? [];
  if (milliseconds === '' || !isUuid(id)) throw new DaftariError('invalid_request', { field: 'cursor' });
  const at = new Date(Number(milliseconds));
  return { OR: [{ createdAt: { lt: at } }, { createdAt: at, id: { lt: id } }] };
}

/** A number as the messages to it have it. */
async function numberOf(db: Handle, phone: string): Promise<string> {
  const [row] = await query<{ number: string }>(db, NUMBER, [phone]);
  return row?.number ?? phone;
}

const NUMBER: Statement = {
  name: 'sms_number',
  text: `SELECT coalesce(core.normalize_phone($1::text), ltrim($1::text, '+')) AS number`,
};
