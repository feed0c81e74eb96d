import type { Cell } from '@repo/xlsx/table-row';

/** East Africa Time is three hours ahead of UTC, all year. */
const EAT_MS = 3 * 3_600_000;

const DAY_MS = 86_400_000;

/** Day 0 of spreadsheets. */
const SPREADSHEET_EPOCH = Date.UTC(1899, 11, 30);

const CLOCK = String.raw`(?:[T ]+(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?)?`;
const DAY_FIRST = new RegExp(String.raw`^(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})${CLOCK}$`);
const YEAR_FIRST = new RegExp(String.raw`^(\d{4})[-/](\d{1,2})[-/](\d{1,2})${CLOCK}(Z|[-+]\d{2}:?\d{2})?$`);

/** Also what a spreadsheet shows of a time after a round trip through a column that is too narrow. */
const CLOCK_ALONE = /^\d{1,2}:\d{2}(:\d{2})?(\.\d+)?$/;

/** Days since 1899-12-30 as text. */
const SERIAL = /^\d{5}(\.\d+)?$/;

/** M-PESA began in 2007; a serial of a later year than this is no date. */
const FIRST = Date.UTC(2007, 0, 1);
const LAST = Date.UTC(2100, 0, 1);

/**
 * The moment of a cell in milliseconds since 1970. Times without a zone are those of East Africa; a date without a time is
 * its midnight. `no_date` for a time alone; `empty`; null when it is neither.
 */
export function timeOf(cell: Cell): number | 'no_date' | 'empty' | null {
  if (typeof cell === 'number') return serialOf(cell);
  const text = cell.trim();
  if (text === '') return 'empty';
  const dayFirst = DAY_FIRST.exec(text);
  if (dayFirst !== null) {
    const [, day, month, year, ...clock] = dayFirst;
    return momentOf([year, month, day, ...clock]);
  }
  const yearFirst = YEAR_FIRST.exec(text);
  if (yearFirst !== null) return momentOf(yearFirst.slice(1, 7), yearFirst[7]);
  if (CLOCK_ALONE.test(text)) return 'no_date';
  return SERIAL.test(text) ? serialOf(Number(text)) : null;
}

function serialOf(days: number): number | 'no_date' | null {
  if (days >= 0 && days < 1) return 'no_date';
  // Doubles miss the second by less than a millisecond.
  return inRange(SPREADSHEET_EPOCH + Math.round((days * DAY_MS) / 1_000) * 1_000 - EAT_MS);
}

function momentOf(parts: readonly (string | undefined)[], zone?: string): number | null {
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts.map((part) =>
    Number(part ?? 0),
  );
  const wall = new Date(Date.UTC(year, month - 1, day, hour, minute, second));
  const isReal =
    wall.getUTCMonth() === month - 1 && wall.getUTCDate() === day && hour < 24 && minute < 60 && second < 60;
  return isReal ? inRange(wall.getTime() - offsetOf(zone)) : null;
}

function offsetOf(zone: string | undefined): number {
  if (zone === undefined) return EAT_MS;
  const [, sign, hours, minutes] = /^([-+])(\d{2}):?(\d{2})$/.exec(zone) ?? [];
  const ms = Number(hours ?? 0) * 3_600_000 + Number(minutes ?? 0) * 60_000;
  return sign === '-' ? -ms : ms;
}

function inRange(ms: number): number | null {
  return ms >= FIRST && ms < LAST ? ms : null;
}
