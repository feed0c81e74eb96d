import { readable, unreadable } from './reasons.ts';
import type { Read } from './reasons.ts';

/** East Africa Time is UTC+3 all the year round; Kenya has no daylight saving time. */
const EAT_OFFSET_MS = 3 * 60 * 60 * 1_000;

/** M-PESA began in March 2007: an earlier year is a wrong field, not an old payment. */
const FIRST_YEAR = 2007;

/**
 * Reads `YYYYMMDDHHmmss`, which M-PESA writes in East Africa Time without saying so, into the instant it means.
 * A date that no calendar has (31 June) is refused instead of rolling over into the next month.
 */
export function readEatTime(text: string): Read<Date> {
  const trimmed = text.trim();
  if (trimmed === '') return unreadable('time_missing');
  const digits = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)$/.exec(trimmed);
  if (digits === null) return unreadable('time_invalid');
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = digits.slice(1).map(Number);
  const asIfUtc = new Date(Date.UTC(year, month - 1, day, hour, minute, second));
  const rolledOver =
    asIfUtc.getUTCSeconds() !== second ||
    asIfUtc.getUTCMinutes() !== minute ||
    asIfUtc.getUTCHours() !== hour ||
    asIfUtc.getUTCDate() !== day ||
    asIfUtc.getUTCMonth() !== month - 1;
  if (year < FIRST_YEAR || rolledOver) return unreadable('time_invalid');
  return readable(new Date(asIfUtc.getTime() - EAT_OFFSET_MS));
}
