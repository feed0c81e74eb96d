import type { Network } from './providers/provider.ts';

/** The networks that Africa's Talking names in a delivery report. */
const networks: ReadonlyMap<string, Network | 'sandbox'> = new Map([
  ['63902', 'Safaricom'],
  ['63903', 'Airtel'],
  ['63907', 'Telkom'],
  ['63999', 'Equitel'],
  ['99999', 'sandbox'],
]);

/**
 * The network of a code (mobile country code and network code); null for a code that is not listed. The prefix of a
 * number is never asked: numbers move between networks, and 0110 to 0117 and 0100 to 0108 lie close together.
 */
export function networkOf(code: string | null): Network | 'sandbox' | null {
  return code === null ? null : (networks.get(code) ?? null);
}
