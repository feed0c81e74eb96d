import { readable, unreadable } from './reasons.ts';
import type { Read } from './reasons.ts';

/** East Africa Time is UTC+3 all the year round; Kenya has no daylight saving time. */
const EAT_OFFSET_MS = 3 * 60 * 60 * 1_000;

/** M-PESA began in March 2007: an earlier year is a wrong field, not an old payment. */
const FIRST_YEAR = 2007;

/** Only the day may still be none: how many there are depends on the month. */
const TIME = /^(\d{4})(0[1-9]|1[0-2])(\d\d)([01]\d|2[0-3])([0-5]\d)([0-5]\d)$/;

/**
 * Reads `YYYYMMDDHHmmss`, which M-PESA writes in East Africa Time without saying so, into the instant it means.
 * A date that no calendar has (31 June) is refused instead of rolling over into the next month.
 */
export function readEatTime(text: string): Read<Date> {
  const trimmed = text.trim();
  if (trimmed === '') return unreadable('time_missing');
  const parts = TIME.exec(trimmed);
  if (parts === null) return unreadable('time_invalid');
  const [, year, month, day, hour, minute, second] = parts;
  const asIfUtc = Date.UTC(
    Number(year),
    Number(month) - 1,
    Number(day),
    Number(hour),
    Number(minute),
    Number(second),
  );
  const rolledOver = new Date(asIfUtc).getUTCDate() !== Number(day);
  if (Number(year) < FIRST_YEAR || rolledOver) return unreadable('time_invalid');
  return readable(new Date(asIfUtc - EAT_OFFSET_MS));
}
