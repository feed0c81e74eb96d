import type { Handle, Statement } from '../connection/handle.ts';
import { DaftariError } from '../errors.ts';
import { cleanText, requireText } from '../request.ts';
import { query } from '../connection/handle.ts';

/**
 * What a report says of a message, in our words. The provider has it (`accepted`), the network has it (`submitted`) or
 * keeps it back (`buffered`), the telephone is off (`absent`); the others are final. `unknown`: the provider's word is
 * not listed, so it decides nothing.
 */
export type DeliveryState =
  | 'unknown'
  | 'accepted'
  | 'submitted'
  | 'buffered'
  | 'absent'
  | 'rejected'
  | 'failed'
  | 'expired'
  | 'delivered';

/** What the network says became of a message, as the provider's callback reports it. */
export interface DeliveryReport {
  /** As in the claim. */
  readonly provider: string;
  /** Null when none could be read. */
  readonly providerMessageId: string | null;
  /** Null when none could be read. */
  readonly state: DeliveryState | null;
  /** The provider's own word; null when none could be read. */
  readonly status: string | null;
  /** The provider's own word for why, or why the report could not be read. */
  readonly reason: string | null;
  /** The reason in a sentence for people; null where the provider's word is not listed. */
  readonly explanation: string | null;
  /** By name, such as `Safaricom`; the provider's own code where it is not listed. */
  readonly network: string | null;
  readonly retryCount: number | null;
  /** The number that it was sent to, in any form, where the report says. */
  readonly phone: string | null;
  /** The bytes as received. */
  readonly body: Uint8Array;
}

/**
 * `APPLIED`: the message's delivery state is this report's. `STALE`: it knew as much or more. `PARKED`: no message has
 * this id yet; it joins when one gets it. `MISMATCHED`: the message with this id went to another number. `AMBIGUOUS`:
 * several messages have this id. `QUARANTINED`: no id or no status could be read.
 */
export type DeliveryOutcome = 'APPLIED' | 'STALE' | 'PARKED' | 'MISMATCHED' | 'AMBIGUOUS' | 'QUARANTINED';

export interface RecordedReport {
  readonly id: string;
  readonly outcome: DeliveryOutcome;
  /** The message, where there is one. */
  readonly smsId: string | null;
}

/**
 * Stores a report as received and folds it into its message. Reports may come repeated, in any order, and before the
 * answer to the sending is recorded: the end is the same.
 */
export async function recordDeliveryReport(db: Handle, report: DeliveryReport): Promise<RecordedReport> {
  requireText('provider', report.provider, 30);
  const [row] = await query<ReportRow>(db, RECORD, [
    report.provider,
    textOf(report.providerMessageId),
    report.state,
    textOf(report.status),
    textOf(report.reason),
    textOf(report.explanation),
    textOf(report.network),
    countOf(report.retryCount),
    textOf(report.phone),
    report.body,
  ]);
  if (row === undefined) throw new DaftariError('database_error');
  return { id: row.id, outcome: row.outcome, smsId: row.sms_id };
}

function textOf(text: string | null): string | null {
  return text === null ? null : cleanText(text);
}

/** A count that the column holds, or null: what a stranger writes must not keep the report from being stored. */
function countOf(count: number | null): number | null {
  return count !== null && Number.isInteger(count) && Math.abs(count) < 2 ** 31 ? count : null;
}

interface ReportRow {
  readonly id: string;
  readonly outcome: DeliveryOutcome;
  readonly sms_id: string | null;
}

const RECORD: Statement = {
  name: 'delivery_report_record',
  text: `
SELECT id::text AS id, outcome, sms_id::text AS sms_id
  FROM services.record_delivery_report(
    p_provider => $1::text, p_message_id => $2::text, p_state => $3::text, p_status => $4::text, p_reason => $5::text,
    p_explanation => $6::text, p_network => $7::text, p_retry_count => $8::integer, p_phone => $9::text,
    p_body => $10::bytea
  )`,
};
