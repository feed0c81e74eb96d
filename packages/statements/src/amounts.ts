import type { Cell } from '@repo/xlsx/table-row';

/** Currency, sign and grouping as portals and spreadsheets write them: also the minus and the narrow spaces of typesetters. */
const AMOUNT =
  /^(?:KES|KSHS?\.?)?\s*([-+\u2212]?)\s*(\d{1,3}(?:,\d{3})+|\d{1,3}(?:[\u00A0\u202F]\d{3})+|\d+)(?:\.(\d+))?$/i;

/** A negative number as accountants write it. */
const IN_BRACKETS = /^\((.+)\)$/;

/** Digits that the ledger's columns hold before the point. */
const WHOLE_DIGITS = 17;

/**
 * The cents of a cell, with its sign; 0 for an empty one, null when it is no amount. A spreadsheet's number is a double, so
 * only the fifteen digits that spreadsheets show of it count: 7874.4500000000007 is 7874.45.
 */
export function centsOf(cell: Cell): bigint | null {
  const text = typeof cell === 'number' ? decimalOf(cell) : cell.trim();
  if (text === '' || text === '-' || text === '–') return 0n;
  const inner = IN_BRACKETS.exec(text)?.[1];
  const [, sign = '', whole = '', fraction = ''] = AMOUNT.exec(inner ?? text) ?? [];
  const digits = whole.replaceAll(/[^\d]/g, '');
  if (digits === '' || digits.length > WHOLE_DIGITS || /[^0]/.test(fraction.slice(2))) return null;
  const cents = BigInt(digits) * 100n + BigInt(fraction.slice(0, 2).padEnd(2, '0'));
  if (inner !== undefined) return sign === '' ? -cents : null;
  return sign === '-' || sign === '\u2212' ? -cents : cents;
}

/** A number as a spreadsheet shows it. One that it shows with an exponent is no amount. */
function decimalOf(number: number): string {
  return number
    .toPrecision(15)
    .replace(/(\.\d*?)0+$/, '$1')
    .replace(/\.$/, '');
}
