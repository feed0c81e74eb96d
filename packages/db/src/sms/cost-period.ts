import { DaftariError } from '../errors.ts';

const DAY_MS = 86_400_000;
/** East Africa Time is three hours ahead of UTC all year. */
const EAT_MS = 3 * 3_600_000;

/** From one moment (included) to another (not included). */
export interface Period {
  readonly from: Date;
  readonly to: Date;
}

/**
 * The period that people mean: by days in East Africa Time (`2026-11-01`), both included, or by moments with their zone
 * (`2026-11-01T06:00:00Z`), the last one not included. Without `to` until now, without `from` the 30 days before.
 *
 * @throws DaftariError `invalid_request` naming the field
 */
export function costPeriod(
  asked: { readonly from?: string | undefined; readonly to?: string | undefined },
  now: Date = new Date(),
): Period {
  const to = asked.to === undefined ? now : momentOf('to', asked.to, DAY_MS);
  const from =
    asked.from === undefined ? new Date(to.getTime() - 30 * DAY_MS) : momentOf('from', asked.from, 0);
  if (from >= to) throw new DaftariError('invalid_request', { field: 'from' });
  return { from, to };
}

function momentOf(field: string, text: string, dayMs: number): Date {
  const isDay = /^\d{4}-\d\d-\d\d$/.test(text);
  // A `+` that nobody encoded in a query has become a space on its way here.
  const written = text.replace(/ (?=\d\d:\d\d$)/, '+');
  const isMoment = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/.test(written);
  const moment = new Date(isDay ? `${text}T00:00:00Z` : written);
  const isFit = (isDay || isMoment) && !Number.isNaN(moment.getTime()) && isCalendarDay(text);
  if (!isFit) throw new DaftariError('invalid_request', { field });
  return isDay ? new Date(moment.getTime() - EAT_MS + dayMs) : moment;
}

/** JavaScript takes 2026-02-30 for the second of March. */
function isCalendarDay(text: string): boolean {
  const day = text.slice(0, 10);
  const time = Date.parse(`${day}T00:00:00Z`);
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(day);
}
