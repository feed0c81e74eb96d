/** A cost as it was read. */
export interface Cost {
  /** Decimal string with exactly four decimals; null when none could be read. */
  readonly cost: string | null;
  readonly currency: string | null;
  /** As it was written. */
  readonly costText: string | null;
}

const NONE: Cost = { cost: null, currency: null, costText: null };
const WRITTEN = /^(?:([A-Z]{3})\s*)?(\d{1,6}|\d{1,3}(?:,\d{3})+)(?:\.(\d+))?$/i;
const MAX_TEXT_LENGTH = 40;
const LARGEST_WHOLE = 6;

/**
 * Reads `KES 0.8000`, `0`, `USD 0.0079`, also when it comes as a number. A cost has four decimals and at most six
 * digits before the point, as its column has. More decimals are rounded up: a report may say a ten-thousandth too
 * much, never too little, and `costText` has what was written.
 */
export function readCost(value: unknown): Cost {
  if (typeof value !== 'string' && typeof value !== 'number') return NONE;
  const text = String(value).trim();
  if (text === '' || text.length > MAX_TEXT_LENGTH) return NONE;
  const costText = text.toWellFormed().replaceAll('\0', '\uFFFD');
  const [, currency, grouped, fraction = ''] = WRITTEN.exec(text) ?? [];
  if (grouped === undefined) return { ...NONE, costText };
  const whole = grouped.replaceAll(',', '');
  const cost = fraction.length === 4 ? `${whole}.${fraction}` : fourDecimals(whole, fraction);
  if (cost.indexOf('.') > LARGEST_WHOLE) return { ...NONE, costText };
  return { cost: cost.replace(/^0+(?=\d)/, ''), currency: currency?.toUpperCase() ?? null, costText };
}

function fourDecimals(whole: string, fraction: string): string {
  const exact = BigInt(whole + fraction.slice(0, 4).padEnd(4, '0'));
  const rounded = /[1-9]/.test(fraction.slice(4)) ? exact + 1n : exact;
  const digits = rounded.toString().padStart(5, '0');
  return `${digits.slice(0, -4)}.${digits.slice(-4)}`;
}
