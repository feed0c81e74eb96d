import { AmountError } from './errors.ts';

const DECIMAL = /^(-?)(\d+)(?:\.(\d+))?$/;

/** Digits that a DECIMAL(19,2) column holds before the point. */
const WHOLE_DIGITS = 17;

/**
 * Cents of a decimal string, exactly. More than two decimals are fine as long as the rest is zeros (`"2500.000"`).
 *
 * @throws AmountError `negative`; `too_many_decimals` for parts of a cent; `too_large` for more than 17 digits before
 * the point; `malformed` for anything else: a plus, an exponent, grouping, spaces
 */
export function parseCents(amount: string): bigint {
  const [, sign, whole, fraction = ''] = DECIMAL.exec(amount) ?? [];
  if (whole === undefined) throw new AmountError('malformed');
  if (sign === '-') throw new AmountError('negative');
  if (/[^0]/.test(fraction.slice(2))) throw new AmountError('too_many_decimals');
  if (whole.length > WHOLE_DIGITS) throw new AmountError('too_large');
  return BigInt(whole) * 100n + BigInt(fraction.slice(0, 2).padEnd(2, '0'));
}

/** Cents of a sum that is to be moved. @throws AmountError as `parseCents` does, and `zero` */
export function parsePositiveCents(amount: string): bigint {
  const cents = parseCents(amount);
  if (cents === 0n) throw new AmountError('zero');
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
