import { readable, unreadable } from './reasons.ts';
import type { Read } from './reasons.ts';

/** `DECIMAL(19,2)` holds so many digits before the point. */
const MAX_INTEGER_DIGITS = 17;

/**
 * Reads an amount of KES as M-PESA and the systems around it write it (`"10"`, `"10.00"`, `"2500.000"`) into a
 * decimal string with exactly two decimals. It works on the digits as text: no number is ever made of them.
 * Zeros beyond the cents are dropped; anything else there would be money that we cannot hold, and is refused.
 */
export function readAmount(text: string): Read<string> {
  const trimmed = text.trim();
  if (trimmed === '') return unreadable('amount_missing');
  const parts = /^(-?)(\d+)(?:\.(\d+))?$/.exec(trimmed);
  if (parts === null) return unreadable('amount_invalid');
  const [, sign, digits = '', fraction = ''] = parts;
  const whole = digits.replace(/^0+(?=\d)/, '');
  const cents = fraction.slice(0, 2).padEnd(2, '0');
  const belowCents = fraction.slice(2);
  if (sign === '-') return unreadable('amount_not_positive');
  if (/[1-9]/.test(belowCents)) return unreadable('amount_below_cent');
  if (whole === '0' && cents === '00') return unreadable('amount_not_positive');
  if (whole.length > MAX_INTEGER_DIGITS) return unreadable('amount_too_large');
  return readable(`${whole}.${cents}`);
}
