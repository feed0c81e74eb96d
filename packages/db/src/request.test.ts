import fc from 'fast-check';
import { anyCharacter } from '@repo/testing/characters';
import { expect, test } from 'vitest';
import { newReference } from './ledger/reference.ts';
import { requestDigest, requireAmount, requireText, requireTime } from './request.ts';

const fields = fc.array(
  fc.oneof(fc.string({ unit: anyCharacter, maxLength: 12 }), fc.constantFrom(null, '', '\0-', '\x001:a')),
  {
    maxLength: 5,
  },
);

const requests = fc.tuple(fc.constantFrom('transfer', 'hold'), fields);

test('two requests have one digest exactly when they are the same', () => {
  fc.assert(
    fc.property(requests, requests, (one, two) => {
      const isSame = JSON.stringify(one) === JSON.stringify(two);
      expect(requestDigest(...one) === requestDigest(...two)).toBe(isSame);
      expect(requestDigest(one[0], [...one[1]])).toBe(requestDigest(...one));
    }),
  );
});

test('fields that run together as text have digests of their own', () => {
  const digests = [['ab', 'c'], ['a', 'bc'], ['abc', ''], ['', 'abc'], ['abc', null], ['abc']].map((one) =>
    requestDigest('transfer', one),
  );
  expect(new Set(digests).size).toBe(digests.length);
});

test('a text is as long as the characters that a reader counts', () => {
  expect(() => requireText('name', '🏠'.repeat(5), 5)).not.toThrow();
  expect(() => requireText('name', '🏠'.repeat(6), 5)).toThrow('name');
});

test('a moment is written in UTC to the millisecond', () => {
  expect(requireTime('from', new Date('2026-03-01T09:30:00.007+03:00'))).toBe('2026-03-01T06:30:00.007');
});

test('an amount of nothing is refused in every way of writing it', () => {
  for (const nothing of ['0', '0.0', '0.00', '000.000']) {
    expect(() => requireAmount(nothing)).toThrow('above zero');
  }
});

test('a reference has one shape, and no two are alike', () => {
  const references = Array.from({ length: 5_000 }, () => newReference());
  for (const reference of references) expect(reference).toMatch(/^DF-[0-9A-HJKMNP-TV-Z]{12}$/);
  expect(new Set(references).size).toBe(references.length);
});
