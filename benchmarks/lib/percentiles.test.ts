import fc from 'fast-check';
import { expect, test } from 'vitest';
import { median, percentile, percentileOfCounts } from './percentiles.ts';

const values = fc.array(fc.double({ min: 0, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 300 });
const percents = fc.integer({ min: 1, max: 100 });

test('a percentile is one of the values, which so many per cent do not exceed and fewer are below', () => {
  fc.assert(
    fc.property(values, percents, (numbers, percent) => {
      const found = percentile(Float64Array.from(numbers).toSorted(), percent);
      const wanted = (numbers.length * percent) / 100;
      expect(numbers).toContain(found);
      expect(numbers.filter((value) => value <= found).length).toBeGreaterThanOrEqual(wanted);
      expect(numbers.filter((value) => value < found).length).toBeLessThan(wanted);
    }),
  );
});

test('a percentile of counts is that of the values that were counted', () => {
  const counted = fc.array(fc.integer({ min: 0, max: 50 }), { minLength: 1, maxLength: 300 });
  fc.assert(
    fc.property(counted, percents, (numbers, percent) => {
      const counts = new Uint32Array(51);
      for (const number of numbers) counts[number] = (counts[number] ?? 0) + 1;
      const sorted = Float64Array.from(numbers).toSorted();
      expect(percentileOfCounts(counts, percent)).toBe(percentile(sorted, percent));
    }),
  );
});

test('as many values are below the median as above it, in whatever order they come', () => {
  fc.assert(
    fc.property(values, (numbers) => {
      const middle = median(numbers);
      const half = numbers.length / 2;
      expect(numbers.filter((value) => value < middle).length).toBeLessThanOrEqual(half);
      expect(numbers.filter((value) => value > middle).length).toBeLessThanOrEqual(half);
      expect(median(numbers.toReversed())).toBe(middle);
    }),
  );
});

test('the known cases come out right', () => {
  const tenths = Float64Array.from([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  expect(percentile(tenths, 50)).toBe(5);
  expect(percentile(tenths, 99)).toBe(10);
  expect(median([9, 1, 5])).toBe(5);
  expect(median([4, 1, 2, 8])).toBe(3);
  expect(median([])).toBeNaN();
  expect(percentile(new Float64Array(), 99)).toBeNaN();
  expect(percentileOfCounts(new Uint32Array(3), 99)).toBeNaN();
});
