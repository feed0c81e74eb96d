import { randomBytes } from 'node:crypto';

// Crockford's base 32: no I, L, O or U, so that a reference read aloud or copied by hand stays what it is.
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/**
 * A new reference for a transaction of ours: `DF-` and twelve characters. Its length is fixed and the hyphen keeps it
 * apart from M-PESA's receipts, so two references of ours never hash alike for different amounts.
 */
export function newReference(): string {
  return `DF-${[...randomBytes(12)].map((byte) => ALPHABET[byte % 32]).join('')}`;
}
