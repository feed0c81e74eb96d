import type { Handle, Statement } from '../connection/handle.ts';
import { DaftariError } from '../errors.ts';
import { cleanText, requireText } from '../request.ts';
import { query } from '../connection/handle.ts';

/** What the network says became of a message, as the provider's callback reports it. */
export interface DeliveryReport {
  /** As in the claim. */
  readonly provider: string;
  /** Null when none could be read. */
  readonly providerMessageId: string | null;
  /** The provider's own word; null when none could be read. */
  readonly status: string | null;
  readonly reason: string | null;
  readonly networkCode: string | null;
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
  /** Whether the status is one of those that the rule knows; the others are kept and count least. */
  readonly isKnownStatus: boolean;
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
    textOf(report.status),
    textOf(report.reason),
    textOf(report.networkCode),
    countOf(report.retryCount),
    textOf(report.phone),
    report.body,
  ]);
  if (row === undefined) throw new DaftariError('database_error');
  return { id: row.id, outcome: row.outcome, smsId: row.sms_id, isKnownStatus: row.known };
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
  readonly known: boolean;
}

const RECORD: Statement = {
  name: 'delivery_report_record',
  text: `
SELECT id::text AS id, outcome, sms_id::text AS sms_id, known
  FROM services.record_delivery_report(
    $1::text, $2::text, $3::text, $4::text, $5::text, $6::integer, $7::text, $8::bytea
  )`,
};
