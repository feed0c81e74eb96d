import fc from 'fast-check';
import { expect, test } from 'vitest';
import { matchesHash } from './matches-hash.ts';
import { hostileTexts } from './testing/examples.ts';

const HASH = 'ab'.repeat(32);

test('the stored hash matches itself', () => {
  expect(matchesHash(HASH, HASH)).toBe(true);
});

test.each([HASH.toUpperCase(), HASH.slice(1), `${HASH} `, '', 'cb'.repeat(32)])(
  '%j does not match',
  (presented) => {
    expect(matchesHash(HASH, presented)).toBe(false);
  },
);

test('nothing matches a transaction that does not exist', () => {
  fc.assert(fc.property(hostileTexts, (presented) => !matchesHash(null, presented)));
});
