import { expect, test } from 'vitest';
import { isNetwork } from '@repo/http';
import { createNetworkCheck, OFFICIAL_SOURCES, plainAddress } from './networks.ts';

test.each(['196.201.214.200', '196.201.212.0/24', '0.0.0.0/0', '2001:db8::1', '2001:db8::/32'])(
  '%s is a network',
  (text) => {
    expect(isNetwork(text)).toBe(true);
  },
);

test.each([
  '',
  'localhost',
  '196.201.214',
  '196.201.214.200/33',
  '196.201.214.200/',
  '10.0.0.0/8/8',
  '::/129',
  '1.2.3.4/x',
])('%j is no network', (text) => {
  expect(isNetwork(text)).toBe(false);
});

test('an address is found in a list of addresses and networks of both families', () => {
  const isListed = createNetworkCheck(['196.201.214.200', '10.1.0.0/16', '2001:db8::/32']);
  expect(['196.201.214.200', '10.1.255.255', '2001:db8::99'].map(isListed)).toEqual([true, true, true]);
  expect(['196.201.214.201', '10.2.0.0', '2001:db9::1', 'unknown', ''].map(isListed)).toEqual([
    false,
    false,
    false,
    false,
    false,
  ]);
});

test('every official source is an address', () => {
  expect(OFFICIAL_SOURCES.every(isNetwork)).toBe(true);
  expect(new Set(OFFICIAL_SOURCES).size).toBe(12);
});

test('an IPv4 address on an IPv6 socket is written as IPv4', () => {
  expect(plainAddress('::ffff:196.201.212.127')).toBe('196.201.212.127');
  expect(plainAddress('2001:db8::1')).toBe('2001:db8::1');
});
