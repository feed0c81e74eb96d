/** How many payments a short code had in one hour. */
export interface HourCount {
  readonly shortCode: string;
  /** Hours since 1970. East Africa Time is whole hours ahead, so they are its hours too. */
  readonly hour: number;
  readonly payments: number;
}

/** Hours without a payment on a short code that is usually busy at that time of the week. */
export interface Silence {
  readonly shortCode: string;
  /** The first and the last silent hour. */
  readonly first: number;
  readonly last: number;
  /** So many payments usually come in these hours. */
  readonly usual: number;
}

const WEEK_HOURS = 168;

/** So far back is "usually". */
export const WEEKS = 4;

/** Of these weeks at least so many must have had the short code at all: one week is no habit. */
const LEAST_WEEKS = 2;

/** The poorest of the weeks must have had so many in the hour: then none at all is no chance. */
const BUSY = 5;

/**
 * Finds the silent hours from `first` to `last`, neighbours joined.
 *
 * @param counts of these hours and of the same hours of the weeks before
 */
export function findSilences(
  counts: readonly HourCount[],
  { first, last }: { readonly first: number; readonly last: number },
): Silence[] {
  return [...Map.groupBy(counts, ({ shortCode }) => shortCode)].flatMap(([shortCode, own]) => {
    const paid = new Map(own.map(({ hour, payments }) => [hour, payments]));
    const weeks = weeksWithPayments(paid, { first, last });
    if (weeks.length < LEAST_WEEKS) return [];
    const silences: Silence[] = [];
    for (let hour = first; hour <= last; hour += 1) {
      const usual = Math.min(...weeks.map((week) => paid.get(hour - week * WEEK_HOURS) ?? 0));
      if (usual < BUSY || (paid.get(hour) ?? 0) > 0) continue;
      const before = silences.at(-1);
      if (before?.last === hour - 1) {
        silences.splice(-1, 1, { ...before, last: hour, usual: before.usual + usual });
      } else silences.push({ shortCode, first: hour, last: hour, usual });
    }
    return silences;
  });
}

function weeksWithPayments(
  paid: ReadonlyMap<number, number>,
  { first, last }: { readonly first: number; readonly last: number },
): number[] {
  const hours = [...paid.keys()];
  return Array.from({ length: WEEKS }, (_, index) => index + 1).filter((week) =>
    hours.some((hour) => hour >= first - week * WEEK_HOURS && hour <= last - week * WEEK_HOURS),
  );
}
