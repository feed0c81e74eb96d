import { arrayLiteral } from '../connection/array-literal.ts';
import type { Handle, Statement } from '../connection/handle.ts';
import { cleanText, isUuid } from '../request.ts';
import type { SmsStatus } from './messages.ts';
import { query } from '../connection/handle.ts';

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
  /**
   * What the attempt was charged: decimal string, at most four decimals. Zero is a cost; null means that no cost was
   * named.
   */
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
   * `settled`; `late`, when the outcome counted as unknown before and the answer has resolved or completed it;
   * `ignored`, when this attempt has its answer already or does not exist; or `invalid`, when a field is invalid:
   * nothing of this one is recorded, and its neighbours are settled.
   */
  readonly result: 'settled' | 'late' | 'ignored' | 'invalid';
  /** The message's status now; null when there is no such message, or the settlement is invalid. */
  readonly status: SmsStatus | null;
  /** Which field is invalid. */
  readonly field?: string;
}

/**
 * Records what came of attempts, each once, with what it cost, in one round trip. Say it again when the answer to this
 * call is lost: what is settled is ignored. Reports that came first are joined.
 */
export async function settleSms(db: Handle, settlements: readonly SmsSettlement[]): Promise<SettledSms[]> {
  const results: SettledSms[] = [];
  const fit: { readonly settlement: SmsSettlement; readonly place: number }[] = [];
  settlements.forEach((settlement, place) => {
    const field = invalidField(settlement);
    if (field === null) fit.push({ settlement, place });
    else results[place] = { id: settlement.id, result: 'invalid', status: null, field };
  });
  if (fit.length === 0) return results;
  for (const { ord, result, status } of await settle(
    db,
    fit.map(({ settlement }) => settlement),
  )) {
    const item = fit[ord - 1];
    if (item !== undefined) results[item.place] = { id: item.settlement.id, result, status };
  }
  return results;
}

function settle(db: Handle, settlements: readonly SmsSettlement[]): Promise<SettledRow[]> {
  const column = (pick: (settlement: SmsSettlement) => string | number | null | undefined) =>
    arrayLiteral(settlements.map((settlement) => textOf(pick(settlement))));
  return query<SettledRow>(db, SETTLE, [
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
}

/** Which field the columns could not hold, or null: one such settlement must not fail its whole batch. */
function invalidField(settlement: SmsSettlement): string | null {
  const { id, attempt, cost = null, currency = null, parts = null, expectedParts = null } = settlement;
  const { retryAfterMs = 0 } = settlement;
  if (!isUuid(id)) return 'id';
  if (!Number.isInteger(attempt) || attempt < 0 || attempt > MOST_ATTEMPTS) return 'attempt';
  if (cost !== null && !/^\d{1,5}(\.\d{1,4}0*)?$/.test(cost)) return 'cost';
  if (currency !== null && !/^[A-Z]{3}$/.test(currency)) return 'currency';
  if (parts !== null && !isCount(parts)) return 'parts';
  if (expectedParts !== null && !isCount(expectedParts)) return 'expectedParts';
  return Number.isSafeInteger(retryAfterMs) && retryAfterMs >= 0 && retryAfterMs <= LONGEST_DELAY_MS
    ? null
    : 'retryAfterMs';
}

// What the column holds: a provider that is down for weeks is tried thousands of times.
const MOST_ATTEMPTS = 32_767;

// A year: later than that no message is news.
const LONGEST_DELAY_MS = 31_536_000_000;

function isCount(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= 1000;
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
