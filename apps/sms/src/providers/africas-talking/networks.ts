import type { Network } from '../provider.ts';

/** The networks that Africa's Talking names in a delivery report, by country and network code. */
const NETWORKS: ReadonlyMap<string, Network | 'Sandbox'> = new Map([
  ['63902', 'Safaricom'],
  ['63903', 'Airtel'],
  ['63907', 'Telkom'],
  ['63999', 'Equitel'],
  ['99999', 'Sandbox'],
]);

/**
 * The network of a code; a code that is not listed stays as it came. The prefix of a number is never asked: numbers move
 * between networks.
 */
export function networkOf(code: string): string {
  return NETWORKS.get(code) ?? code;
}
