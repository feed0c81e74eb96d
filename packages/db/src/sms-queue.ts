import type { Handle } from './db.ts';
import { DaftariError } from './errors.ts';
import { requireText } from './request.ts';
import type { SmsLanguage, SmsPriority, SmsStatus } from './sms.ts';
import { query } from './statement.ts';
import type { Statement } from './statement.ts';

export interface NewSms {
  /**
   * Any way a Kenyan mobile number is written, or digits with a country code; or what M-PESA sends of a payer: the
   * SHA-256 of the number (64 hex digits), which goes where the provider accepts hashes, or a mask with stars, to which
   * nothing can be sent.
   */
  readonly recipient: string;
  readonly message: string;
  /** What kind of message it is, for the cost report; `message` unless said. */
  readonly template?: string;
  /** English unless said. */
  readonly language?: SmsLanguage;
  /** 0, important, unless said. */
  readonly priority?: SmsPriority;
  readonly transactionReference?: string;
}

export interface QueuedSms {
  readonly id: string;
  /** PENDING, or FAILED at once for a masked number; the row says why. */
  readonly status: SmsStatus;
}

/** The longest text that is taken: ten parts of GSM-7. */
const LONGEST = 1530;

/**
 * Queues a message in the handle's transaction, and wakes the senders when that commits.
 *
 * A NOTIFY makes commits wait for each other for a moment, so what queues many messages a second should write them by
 * itself and call `wakeSmsSenders` once.
 *
 * @throws DaftariError `invalid_request` naming the field
 */
export async function queueSms(db: Handle, sms: NewSms): Promise<QueuedSms> {
  const recipient = recipientOf(sms.recipient);
  requireText('message', sms.message, LONGEST);
  requireText('template', sms.template ?? 'message', 40);
  if (sms.transactionReference !== undefined)
    requireText('transactionReference', sms.transactionReference, 50);
  const [row] = await query<QueuedSms>(db, QUEUE, [
    recipient.number,
    recipient.hash,
    recipient.isMasked,
    sms.message,
    sms.template ?? 'message',
    sms.language ?? 'en',
    sms.priority ?? 0,
    sms.transactionReference ?? null,
  ]);
  if (row === undefined) throw new DaftariError('database_error');
  return { id: row.id, status: row.status };
}

/** Wakes the senders that listen, when the handle's transaction commits. A wake-up that is lost delays, no more. */
export async function wakeSmsSenders(db: Handle): Promise<void> {
  await query(db, WAKE, []);
}

interface Recipient {
  readonly number: string | null;
  readonly hash: string | null;
  readonly isMasked: boolean;
}

function recipientOf(typed: string): Recipient {
  const text = typed.replace(/[\s-]/g, '');
  if (text.includes('*')) return { number: null, hash: null, isMasked: true };
  if (/^[0-9a-f]{64}$/i.test(text)) return { number: null, hash: text.toLowerCase(), isMasked: false };
  if (!/^\+?[0-9]{9,15}$/.test(text)) throw new DaftariError('invalid_request', { field: 'recipient' });
  return { number: text, hash: null, isMasked: false };
}

const QUEUE: Statement = {
  name: 'sms_queue',
  text: `
WITH queued AS (
    INSERT INTO services.sms_logs (
        recipient, recipient_hash, status, phase, error_code, error_message,
        message, template, language, priority, transaction_reference
    )
    SELECT coalesce(core.normalize_phone($1::text), ltrim($1::text, '+')), $2::text,
           CASE WHEN $3::boolean THEN 'FAILED' ELSE 'PENDING' END,
           CASE WHEN $3::boolean THEN 'DONE' ELSE 'QUEUED' END,
           CASE WHEN $3::boolean THEN 'masked_number' END,
           CASE WHEN $3::boolean
                THEN 'The number came masked: nothing can be sent to it, now or later. Ask the payer for the number.' END,
           $4::text, $5::text, $6::text, $7::smallint, $8::text
    RETURNING id, status
)
SELECT id::text AS id, status, pg_notify('daftari_sms', '') IS NULL AS woken FROM queued`,
};

const WAKE: Statement = {
  name: 'sms_wake',
  text: `SELECT pg_notify('daftari_sms', '') IS NULL AS woken`,
};
