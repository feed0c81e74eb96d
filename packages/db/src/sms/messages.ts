import type { Handle, Statement } from '../connection/handle.ts';
import { isUuid } from '../request.ts';
import { query } from '../connection/handle.ts';

export type SmsStatus = 'PENDING' | 'SENT' | 'FAILED';

/**
 * Where a message is on its way. QUEUED, SENDING (a request may be under way) and UNKNOWN (it may or may not have been
 * sent, and waits for a report or a person) are PENDING; DONE is SENT or FAILED.
 */
export type SmsPhase = 'QUEUED' | 'SENDING' | 'UNKNOWN' | 'DONE';

export type SmsLanguage = 'en' | 'sw';

/** 0 for news of money that moved; 1 for what can wait, and stops when the day's budget is spent. */
export type SmsPriority = 0 | 1;

/** A message and all that is known of it. Costs are decimal strings with four decimals. */
export interface Sms {
  readonly id: string;
  /** Digits; null where the number came masked or hashed. */
  readonly recipient: string | null;
  readonly recipientHash: string | null;
  readonly message: string;
  readonly template: string;
  readonly language: SmsLanguage;
  readonly priority: SmsPriority;
  readonly transactionReference: string | null;
  readonly status: SmsStatus;
  readonly phase: SmsPhase;
  readonly attempts: number;
  readonly nextAttemptAt: Date;
  readonly claimedBy: string | null;
  readonly claimedAt: Date | null;
  readonly provider: string | null;
  readonly providerMessageId: string | null;
  /** What all attempts together were charged; null where no answer named a cost. */
  readonly cost: string | null;
  readonly currency: string | null;
  readonly expectedParts: number | null;
  /** As charged. */
  readonly parts: number | null;
  readonly encoding: string | null;
  readonly network: string | null;
  /** The last error, with a code that programs can tell apart. */
  readonly errorCode: string | null;
  readonly errorMessage: string | null;
  /** The word of the report that counts. */
  readonly deliveryStatus: string | null;
  readonly deliveryReason: string | null;
  readonly deliveryUpdatedAt: Date | null;
  readonly deliveredAt: Date | null;
  readonly createdAt: Date;
  readonly sentAt: Date | null;
  readonly settledAt: Date | null;
  /** The last decision of a person on it. */
  readonly decidedBy: string | null;
  readonly decidedAt: Date | null;
  readonly decisionNote: string | null;
}

/** What seldom happens to a message. */
export interface SmsEvent {
  readonly kind: 'RETRY' | 'UNKNOWN' | 'DECIDED' | 'LATE_ANSWER';
  readonly attempt: number;
  /** Who decided; null where nobody did. */
  readonly actor: string | null;
  readonly detail: string | null;
  readonly at: Date;
}

/** The message with this id, or null. */
export async function findSms(db: Handle, id: string): Promise<Sms | null> {
  if (!isUuid(id)) return null;
  const [row] = await query<SmsRow>(db, FIND, [id]);
  return row === undefined ? null : smsOf(row);
}

/** Retries, unknown outcomes, decisions and late answers of a message, the oldest first; none for most. */
export async function smsHistory(db: Handle, id: string): Promise<SmsEvent[]> {
  if (!isUuid(id)) return [];
  const rows = await query<EventRow>(db, HISTORY, [id]);
  return rows.map(({ kind, attempt, actor, detail, at_ms }) => {
    return { kind, attempt, actor, detail, at: new Date(Number(at_ms)) };
  });
}

/** A message as SMS_COLUMNS select it. */
export interface SmsRow {
  readonly id: string;
  readonly recipient: string | null;
  readonly recipient_hash: string | null;
  readonly message: string;
  readonly template: string;
  readonly language: SmsLanguage;
  readonly priority: SmsPriority;
  readonly transaction_reference: string | null;
  readonly status: SmsStatus;
  readonly phase: SmsPhase;
  readonly attempts: number;
  readonly claimed_by: string | null;
  readonly provider: string | null;
  readonly provider_message_id: string | null;
  readonly cost: string | null;
  readonly currency: string | null;
  readonly expected_parts: number | null;
  readonly parts: number | null;
  readonly encoding: string | null;
  readonly network: string | null;
  readonly error_code: string | null;
  readonly error_message: string | null;
  readonly delivery_status: string | null;
  readonly delivery_reason: string | null;
  readonly decided_by: string | null;
  readonly decision_note: string | null;
  readonly next_attempt_at_ms: string;
  readonly created_at_ms: string;
  readonly claimed_at_ms: string | null;
  readonly delivery_updated_at_ms: string | null;
  readonly delivered_at_ms: string | null;
  readonly sent_at_ms: string | null;
  readonly settled_at_ms: string | null;
  readonly decided_at_ms: string | null;
}

interface EventRow {
  readonly kind: SmsEvent['kind'];
  readonly attempt: number;
  readonly actor: string | null;
  readonly detail: string | null;
  readonly at_ms: string;
}

export function smsOf(row: SmsRow): Sms {
  return {
    id: row.id,
    recipient: row.recipient,
    recipientHash: row.recipient_hash,
    message: row.message,
    template: row.template,
    language: row.language,
    priority: row.priority,
    transactionReference: row.transaction_reference,
    status: row.status,
    phase: row.phase,
    attempts: row.attempts,
    nextAttemptAt: new Date(Number(row.next_attempt_at_ms)),
    claimedBy: row.claimed_by,
    claimedAt: timeOf(row.claimed_at_ms),
    provider: row.provider,
    providerMessageId: row.provider_message_id,
    cost: row.cost,
    currency: row.currency,
    expectedParts: row.expected_parts,
    parts: row.parts,
    encoding: row.encoding,
    network: row.network,
    errorCode: row.error_code,
    errorMessage: row.error_message,
    deliveryStatus: row.delivery_status,
    deliveryReason: row.delivery_reason,
    deliveryUpdatedAt: timeOf(row.delivery_updated_at_ms),
    deliveredAt: timeOf(row.delivered_at_ms),
    createdAt: new Date(Number(row.created_at_ms)),
    sentAt: timeOf(row.sent_at_ms),
    settledAt: timeOf(row.settled_at_ms),
    decidedBy: row.decided_by,
    decidedAt: timeOf(row.decided_at_ms),
    decisionNote: row.decision_note,
  };
}

function timeOf(milliseconds: string | null): Date | null {
  return milliseconds === null ? null : new Date(Number(milliseconds));
}

const TIMES = [
  'next_attempt_at',
  'created_at',
  'claimed_at',
  'delivery_updated_at',
  'delivered_at',
  'sent_at',
  'settled_at',
  'decided_at',
].map((column) => `(extract(epoch FROM l.${column}) * 1000)::bigint::text AS ${column}_ms`);

/** The columns of a message `l`. */
export const SMS_COLUMNS = `l.id::text AS id, l.recipient, l.recipient_hash, l.message, l.template,
       l.language::text AS language, l.priority::integer AS priority, l.transaction_reference, l.status, l.phase,
       l.attempts::integer AS attempts, l.claimed_by, l.provider, l.provider_message_id, l.cost::text AS cost,
       l.currency::text AS currency, l.expected_parts::integer AS expected_parts, l.parts::integer AS parts,
       l.encoding, l.network, l.error_code, l.error_message, l.delivery_status, l.delivery_reason, l.decided_by,
       l.decision_note, ${TIMES.join(', ')}`;

const FIND: Statement = {
  name: 'sms_find',
  text: `SELECT ${SMS_COLUMNS} FROM services.sms_logs l WHERE l.id = $1::uuid`,
};

const HISTORY: Statement = {
  name: 'sms_history',
  text: `
SELECT kind, attempt::integer AS attempt, actor, detail, (extract(epoch FROM created_at) * 1000)::bigint::text AS at_ms
  FROM services.sms_events
 WHERE sms_id = $1::uuid
 ORDER BY created_at, id`,
};
