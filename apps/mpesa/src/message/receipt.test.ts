import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readable, unreadable } from './reasons.ts';
import { readReceipt } from './receipt.ts';

test('a receipt is trimmed and upper-cased, and O and 0 stay what they are', () => {
  expect(readReceipt(' uh4o0p1l7w ')).toEqual(readable('UH4O0P1L7W'));
});

test.each(['', '  ', 'None', 'null', 'undefined'])('%j is no receipt at all', (text) => {
  expect(readReceipt(text)).toEqual(unreadable('receipt_missing'));
});

test.each([
  'UH4SP1-7W6',
  'UH4 SP17W6',
  'ŞH4SP1L7W6',
  'ıH4SP1L7W6',
  'UH4SP1L7W6\0',
  'A'.repeat(21),
  'UH4SP',
  'UH4SP1L7W6\u200B',
  '\uFF35H4SP1L7W6',
  '\u0391H4SP1L7W6',
])('%j cannot be a receipt', (text) => {
  expect(readReceipt(text)).toEqual(unreadable('receipt_invalid'));
});

test('letters and digits of either case are read as one receipt, which is read as itself again', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[a-z0-9]{6,20}$/), (text) => {
      fc.pre(text !== 'undefined');
      const receipt = text.toUpperCase();
      expect(readReceipt(text)).toEqual(readable(receipt));
      expect(readReceipt(`\t${receipt}\n`)).toEqual(readable(receipt));
    }),
  );
});
