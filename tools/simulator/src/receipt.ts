import { eatDigits } from './eat-clock.ts';
import type { Random } from './random.ts';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';

/** `A` stands for 2006 (`L` is 2017), January and the tenth day; `Z` is the last year that is known, 2031. */
const YEAR_OF_A = 2006;
const LAST_YEAR = 2031;

/**
 * A receipt as M-PESA would number a payment of that time: ten characters. The first three stand for the year, month
 * and day in East Africa Time. Throws `RangeError` for a year that has no letter (before 2006, after 2031).
 */
export function receiptFor(paidAt: Date, random: Random): string {
  const digits = eatDigits(paidAt);
  const year = Number(digits.slice(0, 4));
  const month = Number(digits.slice(4, 6));
  const day = Number(digits.slice(6, 8));
  if (!(year >= YEAR_OF_A && year <= LAST_YEAR)) {
    throw new RangeError(
      `receipts of the year ${String(year)} have no known letter; use a year from 2006 to 2031`,
    );
  }
  const dayCharacter = day < 10 ? String(day) : ALPHABET.charAt(day - 10);
  return `${ALPHABET.charAt(year - YEAR_OF_A)}${ALPHABET.charAt(month - 1)}${dayCharacter}${random.text(7, ALPHABET)}`;
}
