import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createRandom } from './random.ts';

const draw = (seed: string) => createRandom(seed).text(64, 'abcdefgh');

test('the same seed gives the same sequence and another seed another one', () => {
  expect(draw('one')).toBe(draw('one'));
  expect(draw('one')).not.toBe(draw('two'));
});

test('a whole number stays below its bound', () => {
  fc.assert(
    fc.property(fc.string(), fc.integer({ min: 1, max: 2 ** 32 }), (seed, below) => {
      const value = createRandom(seed).integer(below);
      expect(Number.isInteger(value) && value >= 0 && value < below).toBe(true);
    }),
  );
});

test('each of ten digits is drawn about as often as any other', () => {
  const counts = new Map<string, number>();
  for (const digit of createRandom('fair').text(10_000, '0123456789'))
    counts.set(digit, (counts.get(digit) ?? 0) + 1);
  expect(counts.size).toBe(10);
  // Five standard deviations (30 each) around the expected thousand.
  for (const count of counts.values()) expect(Math.abs(count - 1_000)).toBeLessThan(150);
});
