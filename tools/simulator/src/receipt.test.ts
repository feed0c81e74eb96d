import { expect, test } from 'vitest';
import { createRandom } from './random.ts';
import { receiptFor } from './receipt.ts';

test.each([
  ['2017-01-01T12:00:00Z', 'LA1'],
  ['2024-11-09T12:00:00Z', 'SK9'],
  ['2026-08-10T12:00:00Z', 'UHA'],
  ['2026-12-31T12:00:00Z', 'ULV'],
  ['2026-08-04T21:30:00Z', 'UH5'],
])('a payment at %s has a receipt that begins with %s, by the date in Nairobi', (time, start) => {
  const receipt = receiptFor(new Date(time), createRandom('receipt'));
  expect(receipt).toMatch(/^[A-Z0-9]{10}$/);
  expect(receipt.slice(0, 3)).toBe(start);
});

test('a year without a letter is refused', () => {
  expect(() => receiptFor(new Date('2032-01-01T12:00:00Z'), createRandom('receipt'))).toThrow(RangeError);
});

test('receipts of one day do not repeat', () => {
  const random = createRandom('many');
  const receipts = Array.from({ length: 10_000 }, () => receiptFor(new Date('2026-08-04T12:00:00Z'), random));
  expect(new Set(receipts).size).toBe(10_000);
});
