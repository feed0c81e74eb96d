import { read } from '../connection/handle.ts';
import type { Handle } from '../connection/handle.ts';
import type { Prisma } from '../generated/client.ts';
import { isUuid } from '../request.ts';
import type { DeliveryState } from './delivery-reports.ts';

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
  /** What the report that counts means, in our words. */
  readonly deliveryState: DeliveryState | null;
  /** The provider's own words in that report. */
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
  const row = await read(db.prisma.smsLog.findUnique({ where: { id }, omit: INNER_COLUMNS }));
  return row === null ? null : smsOf(row);
}

/** Retries, unknown outcomes, decisions and late answers of a message, the oldest first; none for most. */
export async function smsHistory(db: Handle, id: string): Promise<SmsEvent[]> {
  if (!isUuid(id)) return [];
  const orderBy = [{ createdAt: 'asc' }, { id: 'asc' }] as const;
  const rows = await read(db.prisma.smsEvent.findMany({ where: { smsId: id }, orderBy: [...orderBy] }));
  return rows.map(({ kind, attempt, actor, detail, createdAt: at }) => {
    return { kind: kind as SmsEvent['kind'], attempt, actor, detail, at };
  });
}

/** What serves the functions that send, and tells people nothing. */
export const INNER_COLUMNS = {
  leaseUntil: true,
  answeredAt: true,
  requestDigest: true,
} as const satisfies Prisma.SmsLogOmit;

export function smsOf(row: Prisma.SmsLogGetPayload<{ omit: typeof INNER_COLUMNS }>): Sms {
  return {
    ...row,
    status: row.status as SmsStatus,
    phase: row.phase as SmsPhase,
    language: row.language as SmsLanguage,
    priority: row.priority as SmsPriority,
    deliveryState: row.deliveryState as DeliveryState | null,
    cost: row.cost?.toFixed(4) ?? null,
  };
}
