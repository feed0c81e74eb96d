import type { Handle, Statement } from '../connection/handle.ts';
import { DaftariError } from '../errors.ts';
import { query } from '../connection/handle.ts';

/** Which route a message came by; UNKNOWN if it came by no route. */
export type CallbackKind =
  | 'C2B_CONFIRMATION'
  | 'C2B_VALIDATION'
  | 'STK_CALLBACK'
  | 'STATUS_RESULT'
  | 'PULL'
  | 'REPLAY'
  /** The callback of a request, taken in again for the payment that it settles. */
  | 'STK_REPLAY'
  | 'API'
  | 'UNKNOWN';

/** A message that moves no money: one that cannot be understood, that only asked, or whose recording failed. */
export interface StoredCallback {
  readonly kind: CallbackKind;
  /** Null when none could be read. */
  readonly receipt: string | null;
  readonly outcome: 'QUARANTINED' | 'VALIDATED' | 'NOTED' | 'FAILED';
  /** Why, as a code; null when nothing is wrong. */
  readonly error: string | null;
  readonly source: string | null;
  /** The bytes as received. */
  readonly body: Uint8Array;
}

/** Writes one row of the inbox; committed when this resolves (unless the handle is a transaction). */
export async function storeCallback(db: Handle, callback: StoredCallback): Promise<{ readonly id: string }> {
  const { kind, receipt, outcome, error, source, body } = callback;
  const [row] = await query<{ id: string }>(db, STORE, [kind, receipt, outcome, error, source, body]);
  if (row === undefined) throw new DaftariError('database_error');
  return row;
}

const STORE: Statement = {
  name: 'callback_store',
  text: `SELECT services.store_callback($1::text, $2::text, $3::text, $4::text, $5::text, $6::bytea)::text AS id`,
};
