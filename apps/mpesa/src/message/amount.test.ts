import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readAmount } from './amount.ts';
import { readable, unreadable } from './reasons.ts';

test.each([
  ['10', '10.00'],
  ['10.00', '10.00'],
  ['1.0', '1.00'],
  ['2500.000', '2500.00'],
  [' 10.0 ', '10.00'],
  ['0.01', '0.01'],
  ['0010.50', '10.50'],
  ['99999999999999999.99', '99999999999999999.99'],
  ['0000000000000000000000010', '10.00'],
])('%j is %s', (text, amount) => {
  expect(readAmount(text)).toEqual(readable(amount));
});

test.each([
  ['', 'amount_missing'],
  ['   ', 'amount_missing'],
  ['0', 'amount_not_positive'],
  ['0.00', 'amount_not_positive'],
  ['-10.00', 'amount_not_positive'],
  ['100.005', 'amount_below_cent'],
  ['0.001', 'amount_below_cent'],
  ['100000000000000000.00', 'amount_too_large'],
  ['1e3', 'amount_invalid'],
  ['NaN', 'amount_invalid'],
  ['Infinity', 'amount_invalid'],
  ['1,000.00', 'amount_invalid'],
  ['1 000', 'amount_invalid'],
  ['+10', 'amount_invalid'],
  ['10.', 'amount_invalid'],
  ['.50', 'amount_invalid'],
  ['0x10', 'amount_invalid'],
  ['KES 10', 'amount_invalid'],
  ['١٠', 'amount_invalid'],
  ['10\n20', 'amount_invalid'],
] as const)('%j is refused as %s', (text, reason) => {
  expect(readAmount(text)).toEqual(unreadable(reason));
});

const positiveCents = fc.bigInt({ min: 1n, max: 10n ** 19n - 1n });

/** Writes cents with two decimals by integer arithmetic alone. */
function writeCents(cents: bigint): string {
  return `${String(cents / 100n)}.${String(cents % 100n).padStart(2, '0')}`;
}

test('every amount of cents that the column holds survives the round trip exactly', () => {
  fc.assert(
    fc.property(positiveCents, fc.nat(5), fc.nat(5), (cents, leadingZeros, trailingZeros) => {
      const text = `${'0'.repeat(leadingZeros)}${writeCents(cents)}${'0'.repeat(trailingZeros)}`;
      expect(readAmount(text)).toEqual(readable(writeCents(cents)));
    }),
  );
});

test('any digit other than zero below the cents is refused, however far down', () => {
  fc.assert(
    fc.property(positiveCents, fc.nat(400), fc.integer({ min: 1, max: 9 }), (cents, zeros, digit) => {
      expect(readAmount(`${writeCents(cents)}${'0'.repeat(zeros)}${String(digit)}`)).toEqual(
        unreadable('amount_below_cent'),
      );
    }),
  );
});

test('an amount that is read is the same when it is read again', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('0', '1', '9', '.', '-', ' ', 'e', ',') }), (text) => {
      const first = readAmount(text);
      if (first.ok) expect(readAmount(first.value)).toEqual(first);
    }),
  );
});
