import { createHash } from 'node:crypto';
import type { Handle, Statement } from '../connection/handle.ts';
import { DaftariError } from '../errors.ts';
import { requestDigest, requireText } from '../request.ts';
import type { SmsLanguage, SmsPriority, SmsStatus } from './messages.ts';
import { query } from '../connection/handle.ts';

export interface NewSms {
  /**
   * Any way a Kenyan mobile number is written, or digits with a country code; or what M-PESA sends of a payer: the
   * SHA-256 of the number (64 hex digits), which goes where the provider accepts hashes, or a mask with stars, to which
   * nothing can be sent.
   */
  readonly recipient: string;
  readonly message: string;
  /** What kind of message it is, for the cost report. Default: `message`. */
  readonly template?: string;
  /** Default: English. */
  readonly language?: SmsLanguage;
  /** Default: 0, important. */
  readonly priority?: SmsPriority;
  readonly transactionReference?: string;
  /**
   * The caller's own name for this request, 1 to 255 characters: repeated with the same facts, nothing is queued, and
   * the answer is about the message that was.
   */
  readonly idempotencyKey?: string;
}

export interface QueuedSms {
  readonly id: string;
  /** PENDING, or FAILED at once for a masked number; the row says why. */
  readonly status: SmsStatus;
  /** Whether it was queued before, under the same idempotency key. */
  readonly replayed: boolean;
}

/** The longest text that is taken: ten parts of GSM-7. */
const LONGEST = 1530;

/**
 * Queues a message in the handle's transaction, and wakes the senders when that commits.
 *
 * A NOTIFY makes commits wait for each other for a moment, so the functions that move money write their messages
 * themselves, and a waker wakes the senders once for many.
 *
 * @throws DaftariError `invalid_request` naming the field; `key_reused`
 */
export async function queueSms(db: Handle, sms: NewSms): Promise<QueuedSms> {
  const recipient = recipientOf(sms.recipient);
  requireText('message', sms.message, LONGEST);
  requireText('template', sms.template ?? 'message', 40);
  if (sms.transactionReference !== undefined)
    requireText('transactionReference', sms.transactionReference, 50);
  const { number } = recipient;
  const facts = [
    recipient.hash,
    recipient.isMasked,
    sms.message,
    sms.template ?? 'message',
    sms.language ?? 'en',
    sms.priority ?? 0,
    sms.transactionReference ?? null,
  ];
  const id = idOf(sms.idempotencyKey);
  // Without the number, which is written in many ways: the row has the one way to compare with.
  const digest = id === null ? null : requestDigest('sms', facts.map(textOf));
  const [row] = await query<QueuedRow>(db, QUEUE, [number, ...facts, id, digest]);
  if (row !== undefined) return { id: row.id, status: row.status, replayed: false };
  const [before] = await query<QueuedRow & { readonly same: boolean }>(db, FIND_QUEUED, [id, digest, number]);
  if (before === undefined) throw new DaftariError('database_error');
  if (!before.same) throw new DaftariError('key_reused');
  return { id: before.id, status: before.status, replayed: true };
}

function textOf(fact: string | number | boolean | null): string | null {
  return fact === null ? null : String(fact);
}

/** A message that has a key gets its id from it, so that the primary key finds the repeat. */
function idOf(key: string | undefined): string | null {
  if (key === undefined) return null;
  requireText('idempotencyKey', key, 255);
  const hex = createHash('sha256').update(`sms\0${key}`).digest('hex');
  // A UUID of version 8, RFC 9562: made as its maker likes.
  const variant = '89ab'[Number.parseInt(hex.charAt(16), 16) % 4] ?? '8';
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `${variant}${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ].join('-');
}

/** Wakes the senders that listen, when the handle's transaction commits. A lost wake-up only delays. */
export async function wakeSmsSenders(db: Handle): Promise<void> {
  await query(db, WAKE, []);
}

interface QueuedRow {
  readonly id: string;
  readonly status: SmsStatus;
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
        id, recipient, recipient_hash, status, phase, error_code, error_message,
        message, template, language, priority, transaction_reference, request_digest
    )
    SELECT coalesce($9::uuid, core.new_id()),
           coalesce(core.normalize_phone($1::text), ltrim($1::text, '+')), $2::text,
           CASE WHEN $3::boolean THEN 'FAILED' ELSE 'PENDING' END,
           CASE WHEN $3::boolean THEN 'DONE' ELSE 'QUEUED' END,
           CASE WHEN $3::boolean THEN 'masked_number' END,
           CASE WHEN $3::boolean
                THEN 'The number came masked: nothing can be sent to it, now or later. Ask the payer for the number.' END,
           $4::text, $5::text, $6::text, $7::smallint, $8::text, $10::text
    ON CONFLICT (id) DO NOTHING
    RETURNING id, status
)
SELECT id::text AS id, status, pg_notify('daftari_sms', '') IS NULL AS woken FROM queued`,
  overNodes: `
SELECT id::text AS id, status
  FROM lanes.queue_sms(
    p_recipient => $1::text, p_hash => $2::text, p_is_masked => $3::boolean, p_message => $4::text, p_template => $5::text,
    p_language => $6::text, p_priority => $7::smallint, p_reference => $8::text, p_id => $9::uuid, p_digest => $10::text
  )`,
};

const FIND_QUEUED: Statement = {
  name: 'sms_find_queued',
  text: `
SELECT id::text AS id, status,
       request_digest IS NOT DISTINCT FROM $2::text
       AND recipient IS NOT DISTINCT FROM coalesce(core.normalize_phone($3::text), ltrim($3::text, '+')) AS same
  FROM services.sms_logs
 WHERE id = $1::uuid`,
};

const WAKE: Statement = {
  name: 'sms_wake',
  text: `SELECT pg_notify('daftari_sms', '') IS NULL AS woken`,
};
