const EAT_MS = 3 * 3_600_000;
const DAY_MS = 86_400_000;
/** M-PESA undoes a payment within days; a year leaves room. */
const OLDEST_DAYS = 366;

/** What stands before the number of a transaction. */
const BEFORE_NUMBER = /(?:\bof|\bfor|\bno|\bid|\breceipt|\btransaction|\brevers\w*)[.:#\s-]*$/i;

/**
 * The receipt that the words of a reversal name: ten capitals and digits, other than its own.
 *
 * One in ten receipts has no digit behind its date, and then looks like a word, as SETTLEMENT does. So one of letters alone
 * must stand where a number stands, and begin with a day of the year before the reversal: receipts begin with year, month
 * and day.
 */
export function receiptIn(details: string, own: string, completedAt: number): string | null {
  const words = [...details.matchAll(/\b[A-Za-z0-9]{10}\b/g)]
    .map(([word], place, all) => ({ word, before: details.slice(0, all[place]?.index) }))
    .filter(({ word }) => word.toUpperCase() !== own);
  const mixed = words.find(({ word }) => /\d/.test(word) && /[A-Za-z]/.test(word));
  const lettered = words.find(
    ({ word, before }) => BEFORE_NUMBER.test(before) && isOfYearBefore(word, completedAt),
  );
  return (mixed ?? lettered)?.word.toUpperCase() ?? null;
}

/** Whether ten capitals begin with a day in East Africa Time that is not after a time, nor a year before it. */
function isOfYearBefore(word: string, time: number): boolean {
  const [year, month, day] = /^([A-Z])([A-L])([A-V])[A-Z]{7}$/.exec(word)?.slice(1).map(placeOf) ?? [];
  if (year === undefined || month === undefined || day === undefined) return false;
  const date = Date.UTC(2006 + year, month, 10 + day);
  const age = Math.floor((time + EAT_MS) / DAY_MS) - date / DAY_MS;
  return age >= 0 && age <= OLDEST_DAYS;
}

function placeOf(letter: string): number {
  return letter.charCodeAt(0) - 'A'.charCodeAt(0);
}
