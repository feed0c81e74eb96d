import type { Handle } from '../../connection/handle.ts';
import { recordDeliveryReport } from '../../sms/delivery-reports.ts';
import type { DeliveryReport, DeliveryState, RecordedReport } from '../../sms/delivery-reports.ts';
import { claimSms } from '../../sms/claims.ts';
import type { ClaimedSms, SmsClaim, SmsClaimRequest } from '../../sms/claims.ts';
import { queueSms } from '../../sms/queue.ts';
import type { NewSms } from '../../sms/queue.ts';
import type { SmsSettlement } from '../../sms/settlements.ts';
import { throughDoor } from '../database/test-db.ts';
import type { Sql } from '../database/test-db.ts';
import { newPhone } from '../database/wallet-fixtures.ts';

const HOUR_MS = 3_600_000;
let messageIds = 0;

/** A provider's id that no other message of this process has. */
export function newMessageId(): string {
  messageIds += 1;
  return `ATXid_${String(messageIds).padStart(32, '0')}`;
}

/** Queues an ordinary message with the facts that the test names. */
export async function queueOne(db: Handle, sms: Partial<NewSms> = {}): Promise<string> {
  const { id } = await queueSms(db, { recipient: newPhone(), message: 'Hello', ...sms });
  return id;
}

export function claim(db: Handle, request: Partial<SmsClaimRequest> = {}): Promise<SmsClaim> {
  return claimSms(db, {
    sender: 'sender-1',
    provider: 'at',
    limit: 100,
    leaseMs: HOUR_MS,
    maxAgeMs: 24 * HOUR_MS,
    ...request,
  });
}

/** Queues a message and claims it; nothing else may be due. */
export async function claimNew(
  db: Handle,
  sms: Partial<NewSms> = {},
  request: Partial<SmsClaimRequest> = {},
): Promise<ClaimedSms> {
  const id = await queueOne(db, sms);
  const { messages } = await claim(db, request);
  const [message, ...others] = messages;
  if (message?.id !== id || others.length > 0) throw new Error('something else was due');
  return message;
}

export function accepted(
  message: Pick<ClaimedSms, 'id' | 'attempt'>,
  facts: Partial<SmsSettlement> = {},
): SmsSettlement {
  return {
    id: message.id,
    attempt: message.attempt,
    outcome: 'accepted',
    providerMessageId: newMessageId(),
    cost: '0.8000',
    currency: 'KES',
    parts: 1,
    expectedParts: 1,
    encoding: 'GSM-7',
    ...facts,
  };
}

/** A delivery report with nothing in it but its state, the provider's word for it, and what the test says. */
export function report(
  db: Handle,
  facts: Partial<DeliveryReport> & { state: DeliveryState | null },
): Promise<RecordedReport> {
  return recordDeliveryReport(db, {
    provider: 'at',
    providerMessageId: null,
    status: facts.state === null ? null : wordOf(facts.state),
    reason: null,
    explanation: null,
    network: null,
    retryCount: null,
    phone: null,
    body: Buffer.from('status=x'),
    ...facts,
  });
}

/** What a provider might call it: never the word that is ours. */
export function wordOf(state: DeliveryState): string {
  return `it says ${state}`;
}

/** Ends the leases of attempts under way, as if their time were over. */
export async function endLeases(sql: Sql, id: string | null = null): Promise<void> {
  await throughDoor(
    sql,
    `UPDATE services.sms_logs SET lease_until = claimed_at - interval '1 second'
      WHERE phase = 'SENDING' AND ($1::uuid IS NULL OR id = $1)`,
    [id],
  );
}

/** Takes what other tests left out of the queue. */
export async function drain(sql: Sql): Promise<void> {
  await throughDoor(sql, `UPDATE services.sms_logs SET status = 'FAILED' WHERE status = 'PENDING'`);
}
