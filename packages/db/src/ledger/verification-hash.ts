import { createHash } from 'node:crypto';
import { DaftariError } from '../errors.ts';
import { normalizeAmount } from '../money.ts';

export interface HashInput {
  readonly reference: string;
  /** Decimal string of KES; `"10"`, `"10.0"` and `"10.00"` are the same sum and give the same hash. */
  readonly amount: string;
  /** The moment the transaction was written; counts to the millisecond, in UTC. */
  readonly createdAt: Date;
}

/**
 * The verification hash of a transaction: SHA-256, as 64 lower-case hex digits, over the UTF-8 bytes of the
 * reference, the amount with exactly two decimals, and the time as `YYYY-MM-DDTHH:mm:ss.sssZ`, with nothing between.
 * `core.verification_hash` computes the same in SQL.
 *
 * It lets a reader check a receipt against typing errors and careless edits. It proves nothing against a person who can
 * write the table, as there is no key in it: signed receipts are for that. The fields run together, so a receipt `R` of
 * 1500.00 and a receipt `R1` of 500.00 of the same millisecond have one hash.
 *
 * @throws DaftariError `invalid_amount` or `invalid_hash_input`
 */
export function verificationHash(input: HashInput): string {
  const { reference, amount, createdAt } = input;
  const year = createdAt.getUTCFullYear();
  const isDate = year >= 1 && year <= 9999; // NaN, an invalid date, is neither
  if (!isDate || reference.includes('\0') || !reference.isWellFormed()) {
    throw new DaftariError('invalid_hash_input');
  }
  return createHash('sha256')
    .update(`${reference}${normalizeAmount(amount)}${createdAt.toISOString()}`, 'utf8')
    .digest('hex');
}
