import fc from 'fast-check';
import { expect, test } from 'vitest';
import { matchesHash } from './matches-hash.ts';
import { hostileTexts } from './testing/examples.ts';

const hash = 'ab'.repeat(32);

test('the stored hash matches itself', () => {
  expect(matchesHash(hash, hash)).toBe(true);
});

test.each([hash.toUpperCase(), hash.slice(1), `${hash} `, '', 'cb'.repeat(32)])(
  '%j does not match',
  (presented) => {
    expect(matchesHash(hash, presented)).toBe(false);
  },
);

test('nothing matches a transaction that does not exist', () => {
  fc.assert(fc.property(hostileTexts, (presented) => !matchesHash(null, presented)));
});
