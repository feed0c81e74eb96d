import fc from 'fast-check';
import { anyCharacter } from '@repo/testing/characters';
import { formatCents } from '../money.ts';

/** The largest sum of a DECIMAL(19,2) column: 99,999,999,999,999,999.99. */
export const LARGEST_CENTS = 9_999_999_999_999_999_999n;

export const cents = fc.bigInt({ min: 0n, max: LARGEST_CENTS });

/** Sums of the whole range of the column, as the package writes them. */
export const amounts = cents.map(formatCents);

/** Any text that PostgreSQL can hold: all of Unicode, astral planes included, without NUL. */
export const texts = fc
  .string({ unit: anyCharacter, maxLength: 50 })
  .map((text) => text.replaceAll('\0', '\u{10ffff}'));

/** Instants of the years 1 to 9999, to the millisecond. */
export const instants = fc.date({
  min: new Date('0001-01-01T00:00:00.000Z'),
  max: new Date('9999-12-31T23:59:59.999Z'),
  noInvalidDate: true,
});
