import { arrayLiteral } from './array-literal.ts';
import type { Handle } from './db.ts';
import { DaftariError } from './errors.ts';
import { cleanText } from './request.ts';
import { isUuid } from './request.ts';
import type { SmsStatus } from './sms.ts';
import { query } from './statement.ts';
import type { Statement } from './statement.ts';

/**
 * What came of an attempt: `accepted` by the provider; `refused` for good; `retry`, when it certainly was not sent and
 * may be tried again; `unknown`, when it may have been sent.
 */
export type SmsOutcome = 'accepted' | 'refused' | 'retry' | 'unknown';

export interface SmsSettlement {
  readonly id: string;
  /** As claimed. */
  readonly attempt: number;
  readonly outcome: SmsOutcome;
  readonly providerMessageId?: string | null;
  /** What the attempt was charged: decimal string, at most four decimals. Zero is a cost, null is none named. */
  readonly cost?: string | null;
  /** ISO 4217. */
  readonly currency?: string | null;
  /** As charged. */
  readonly parts?: number | null;
  readonly expectedParts?: number | null;
  /** `GSM-7` or `UCS-2`. */
  readonly encoding?: string | null;
  /** The text as it was sent, where that differs from the one that was queued. */
  readonly message?: string | null;
  /** A short word that programs can tell apart; cut at 40 characters. */
  readonly errorCode?: string | null;
  readonly errorMessage?: string | null;
  /** With `retry`: after how many milliseconds. A delay, because the database's clock decides when it is over. */
  readonly retryAfterMs?: number;
}

export interface SettledSms {
  readonly id: string;
  /**
   * `settled`; `late`, when the outcome was taken for unknown before and the answer has resolved or completed it; or
   * `ignored`, when this attempt has its answer already or there was none.
   */
  readonly result: 'settled' | 'late' | 'ignored';
  /** The message's status now; null when there is no such message. */
  readonly status: SmsStatus | null;
}

/**
 * Records what came of attempts, each once, with what it cost, in one round trip. Say it again when the answer to this
 * call is lost: what is settled is ignored. Reports that came first are joined.
 *
 * @throws DaftariError `invalid_request` naming the field: then nothing is recorded
 */
export async function settleSms(db: Handle, settlements: readonly SmsSettlement[]): Promise<SettledSms[]> {
  if (settlements.length === 0) return [];
  settlements.forEach(check);
  const column = (pick: (settlement: SmsSettlement) => string | number | null | undefined) =>
    arrayLiteral(settlements.map((settlement) => textOf(pick(settlement))));
  const rows = await query<SettledRow>(db, SETTLE, [
    column(({ id }) => id),
    column(({ attempt }) => attempt),
    column(({ outcome }) => outcome),
    column(({ providerMessageId }) => providerMessageId),
    column(({ cost }) => cost),
    column(({ currency }) => currency),
    column(({ parts }) => parts),
    column(({ expectedParts }) => expectedParts),
    column(({ encoding }) => encoding),
    column(({ message }) => message),
    column(({ errorCode }) => errorCode),
    column(({ errorMessage }) => errorMessage),
    column(({ retryAfterMs }) => retryAfterMs ?? 0),
  ]);
  const results: SettledSms[] = [];
  for (const { ord, result, status } of rows) {
    const settlement = settlements[ord - 1];
    if (settlement !== undefined) results[ord - 1] = { id: settlement.id, result, status };
  }
  return results;
}

/** What the columns cannot hold is refused before it costs the others of its batch anything. */
function check(settlement: SmsSettlement): void {
  const { id, attempt, cost, currency, parts, expectedParts, retryAfterMs } = settlement;
  const require = (field: string, isFit: boolean): void => {
    if (!isFit) throw new DaftariError('invalid_request', { field });
  };
  require('id', isUuid(id));
  require('attempt', isCount(attempt));
  require('cost', cost === null || cost === undefined || /^\d{1,6}(\.\d{1,4}0*)?$/.test(cost));
  require('currency', currency === null || currency === undefined || /^[A-Z]{3}$/.test(currency));
  require('parts', parts === null || parts === undefined || isCount(parts));
  require('expectedParts', expectedParts === null || expectedParts === undefined || isCount(expectedParts));
  require('retryAfterMs', retryAfterMs === undefined ||
    (Number.isSafeInteger(retryAfterMs) && retryAfterMs >= 0));
}

function isCount(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= 32_767;
}

function textOf(value: string | number | null | undefined): string | null {
  return value === null || value === undefined ? null : cleanText(String(value));
}

interface SettledRow {
  readonly ord: number;
  readonly result: SettledSms['result'];
  readonly status: SmsStatus | null;
}

const SETTLE: Statement = {
  name: 'sms_settle',
  text: `
SELECT ord, result, status
  FROM services.settle_sms(
    $1::uuid[], $2::integer[], $3::text[], $4::text[], $5::numeric[], $6::text[], $7::integer[], $8::integer[],
    $9::text[], $10::text[], $11::text[], $12::text[], $13::bigint[]
  )`,
};
