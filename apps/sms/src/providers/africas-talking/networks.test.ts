import { expect, test } from 'vitest';
import { networkOf } from './networks.ts';

test.each([
  ['63902', 'Safaricom'],
  ['63903', 'Airtel'],
  ['63907', 'Telkom'],
  ['63999', 'Equitel'],
  ['99999', 'Sandbox'],
  ['62001', '62001'],
])('the network code %s is %s', (code, network) => {
  expect(networkOf(code)).toBe(network);
});
