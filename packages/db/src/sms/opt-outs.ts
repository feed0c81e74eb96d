import { DaftariError } from '../errors.ts';
import type { Handle, Statement } from '../connection/handle.ts';
import { requireText } from '../request.ts';
import { query } from '../connection/handle.ts';

/**
 * Remembers that a customer wants no more messages. Unimportant messages (priority 1) no longer go to this number, from
 * whatever name. Messages about moved money still do.
 *
 * @returns whether it was new
 * @throws DaftariError `invalid_request` naming the field
 */
export async function recordOptOut(
  db: Handle,
  optOut: { readonly number: string; readonly senderId?: string },
): Promise<{ readonly recorded: boolean }> {
  const number = optOut.number.replace(/[\s-]/g, '');
  if (!/^\+?[0-9]{3,15}$/.test(number)) throw new DaftariError('invalid_request', { field: 'number' });
  if (optOut.senderId !== undefined) requireText('senderId', optOut.senderId, 20);
  const [row] = await query<{ recorded: boolean }>(db, RECORD, [number, optOut.senderId ?? '']);
  return { recorded: row?.recorded ?? false };
}

const RECORD: Statement = {
  name: 'opt_out_record',
  text: `SELECT services.record_opt_out($1::text, $2::text) AS recorded`,
};
