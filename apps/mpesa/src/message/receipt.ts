import { findReceiptText } from './body.ts';
import { readable, unreadable } from './reasons.ts';
import type { Read } from './reasons.ts';

/** What systems write where there is no receipt: the word for nothing in one language or another. */
const PLACEHOLDERS = new Set(['NONE', 'NULL', 'NIL', 'UNDEFINED', 'NAN']);

/**
 * Reads an M-PESA receipt: trimmed and upper-cased, for statements and relays change the case. `O` and `0` both
 * occur and are left alone. A receipt is ten characters today, but neither that nor the date that its first letters
 * tell is promised anywhere: 6 to 20 letters and digits are taken.
 */
export function readReceipt(text: string): Read<string> {
  const trimmed = text.trim();
  if (trimmed === '') return unreadable('receipt_missing');
  if (PLACEHOLDERS.has(trimmed.toUpperCase())) return unreadable('receipt_missing');
  // Checked before the upper case is made: some foreign letters have ASCII capitals.
  if (!/^[A-Za-z0-9]{6,20}$/.test(trimmed)) return unreadable('receipt_invalid');
  return readable(trimmed.toUpperCase());
}

/** The receipt in a body that cannot be read as a whole, or has it in another place; null where none or several are. */
export function findReceipt(body: Buffer): string | null {
  const receipt = readReceipt(findReceiptText(body) ?? '');
  return receipt.ok ? receipt.value : null;
}
