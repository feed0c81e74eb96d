import fc from 'fast-check';
import { expect, test } from 'vitest';
import { pauseAfter } from './back-off.ts';

const BACK_OFF = { firstMs: 5_000, longestMs: 900_000 };

test('the pause doubles from attempt to attempt, up to the longest', () => {
  const pauses = [1, 2, 3, 8, 9, 10_000].map((attempt) => pauseAfter(attempt, BACK_OFF, () => 0));
  expect(pauses).toEqual([5_000, 10_000, 20_000, 640_000, 900_000, 900_000]);
});

test('chance shortens a pause by up to a half', () => {
  const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2_000 }), chance, (attempt, value) => {
      const whole = pauseAfter(attempt, BACK_OFF, () => 0);
      const pause = pauseAfter(attempt, BACK_OFF, () => value);
      expect(pause).toBeLessThanOrEqual(whole);
      expect(pause).toBeGreaterThanOrEqual(whole / 2 - 1);
    }),
  );
});
