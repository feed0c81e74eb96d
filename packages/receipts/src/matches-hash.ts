import { createHash, timingSafeEqual } from 'node:crypto';

/** Nobody can present a text with this digest: it is the digest of bytes that no text in UTF-8 has. */
const NOBODYS_DIGEST = createHash('sha256').update(Uint8Array.of(0xff)).digest();

/**
 * Whether a presented hash is the one stored with a transaction, in a time that tells neither how much of it agrees
 * nor whether there is such a transaction: the work is the same for an unknown reference (`known` is null).
 */
export function matchesHash(known: string | null, presented: string): boolean {
  const digest = known === null ? NOBODYS_DIGEST : createHash('sha256').update(known, 'utf8').digest();
  return timingSafeEqual(createHash('sha256').update(presented, 'utf8').digest(), digest);
}
