import { DaftariError } from './errors.ts';

/** The largest sum that a DECIMAL(19,2) column holds, in cents. */
const LARGEST_CENTS = 9_999_999_999_999_999_999n;

const DECIMAL = /^(\d{1,17})(?:\.(\d+))?$/;

/**
 * Cents of a decimal string, exactly. More than two decimals are fine as long as the rest is zeros (`"2500.000"`).
 *
 * @throws DaftariError `invalid_amount` for signs, exponents, grouping, parts of a cent, or more than 17 digits
 * before the point.
 */
export function parseCents(amount: string): bigint {
  const [, whole, fraction = ''] = DECIMAL.exec(amount) ?? [];
  if (whole === undefined || /[^0]/.test(fraction.slice(2))) throw new DaftariError('invalid_amount');
  const cents = BigInt(whole) * 100n + BigInt(fraction.slice(0, 2).padEnd(2, '0'));
  if (cents > LARGEST_CENTS) throw new DaftariError('invalid_amount');
  return cents;
}

/** A decimal string with exactly two decimals and no grouping: `150000n` is `"1500.00"`. */
export function formatCents(cents: bigint): string {
  const digits = (cents < 0n ? -cents : cents).toString().padStart(3, '0');
  return `${cents < 0n ? '-' : ''}${digits.slice(0, -2)}.${digits.slice(-2)}`;
}

/** The same sum written the one way in which it is stored and hashed: two decimals, no leading zeros. */
export function normalizeAmount(amount: string): string {
  return formatCents(parseCents(amount));
}
