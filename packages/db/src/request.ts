import { createHash } from 'node:crypto';
import { DaftariError } from './errors.ts';
import { formatCents, parsePositiveCents } from './money.ts';

/**
 * The digest that tells whether a key comes back with the same request: SHA-256 over its fields, each with its length
 * before it, so that no two requests run together.
 */
export function requestDigest(kind: string, fields: readonly (string | null)[]): string {
  const hash = createHash('sha256').update(kind);
  for (const field of fields)
    hash.update(field === null ? '\0-' : `\0${String(Buffer.byteLength(field))}:${field}`);
  return hash.digest('hex');
}

/** Callers without types may give anything. @throws DaftariError `invalid_request` naming the field */
export function requireText(field: string, text: unknown, longest: number): void {
  const isFit =
    typeof text === 'string' &&
    text !== '' &&
    [...text].length <= longest &&
    text.isWellFormed() &&
    !text.includes('\0');
  if (!isFit) throw new DaftariError('invalid_request', { field });
}

/** The amount with two decimals. @throws AmountError, for zero too */
export function requireAmount(amount: string): string {
  return formatCents(parsePositiveCents(amount));
}

/** The moment as a TIMESTAMP in UTC is written. @throws DaftariError `invalid_request` naming the field */
export function requireTime(field: string, time: Date): string {
  const year = time.getUTCFullYear();
  // Beyond these years, or on no day at all, the two sides write dates in different ways.
  if (!(year >= 1 && year <= 9999)) throw new DaftariError('invalid_request', { field });
  return time.toISOString().slice(0, -1);
}

/** Whether the text is what the database takes for a UUID. */
export function isUuid(text: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text);
}

/** What a stranger wrote, without what PostgreSQL cannot store: NUL, and halves of characters. */
export function cleanText(text: string): string {
  return text.replaceAll('\0', '').toWellFormed();
}
