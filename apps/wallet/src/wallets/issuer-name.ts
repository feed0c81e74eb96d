import { DaftariError } from '@repo/db';
import type { Issuer } from '@repo/receipts';

/** Shorter names, of a letter or two, would forbid too many names of people. */
const SHORTEST = 4;

/**
 * Refuses a customer who would be called like the issuer: a message from them would look like one of ours.
 *
 * @throws DaftariError `invalid_wallet` naming `holderName`
 */
export function refuseIssuerName(holderName: string, issuer: Issuer | null): void {
  const ours = lettersOf(issuer?.name ?? '');
  if (ours.length >= SHORTEST && lettersOf(holderName).includes(ours)) {
    throw new DaftariError('invalid_wallet', { field: 'holderName' });
  }
}

/** Its letters alone, small and without accents. */
function lettersOf(name: string): string {
  return name
    .normalize('NFKD')
    .replaceAll(/[^\p{L}]/gu, '')
    .toLowerCase();
}
