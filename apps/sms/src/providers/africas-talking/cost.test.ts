import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readCost } from './cost.ts';

test.each([
  ['KES 0.8000', '0.8000', 'KES'],
  ['KES 4.0000', '4.0000', 'KES'],
  ['USD 0.0079', '0.0079', 'USD'],
  ['0', '0.0000', null],
  ['KES 1', '1.0000', 'KES'],
  ['kes 1.5', '1.5000', 'KES'],
  ['KES0.8', '0.8000', 'KES'],
  ['KES 1,234.5', '1234.5000', 'KES'],
  ['KES 007.5', '7.5000', 'KES'],
  ['KES 999999.9999', '999999.9999', 'KES'],
  [' KES 0.80000000 ', '0.8000', 'KES'],
])('%j is %s %s', (text, cost, currency) => {
  expect(readCost(text)).toEqual({ cost, currency, costText: text.trim() });
});

test.each([
  ['USD 0.00785', '0.0079'],
  ['USD 0.00780', '0.0078'],
  ['USD 0.000000001', '0.0001'],
  ['USD 0.99991', '1.0000'],
])('%s, of more decimals than the column has, is rounded up to %s and kept as written', (text, cost) => {
  expect(readCost(text)).toEqual({ cost, currency: 'USD', costText: text });
});

test.each([
  [0, '0.0000'],
  [0.8, '0.8000'],
  [12, '12.0000'],
])('the number %d is %s of no currency', (value, cost) => {
  expect(readCost(value)).toEqual({ cost, currency: null, costText: String(value) });
});

test.each([
  'free',
  'KES',
  'KES -1',
  '1e3',
  'KES 1000000',
  'KES 999999.99999',
  '0.8.0',
  'KES 12,34',
  'KES 0.8 x',
])('what cannot be read, such as %j, is no cost but is kept', (text) => {
  expect(readCost(text)).toEqual({ cost: null, currency: null, costText: text });
});

test.each([undefined, null, '', '  ', {}, [], true, 'KES '.repeat(20)])('%j is no cost at all', (value) => {
  expect(readCost(value)).toEqual({ cost: null, currency: null, costText: null });
});

test('every cost of at most four decimals is read exactly', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 999_999_9999 }),
      fc.integer({ min: 0, max: 6 }),
      (tenThousandths, zeros) => {
        const digits = String(tenThousandths).padStart(5, '0');
        const exact = `${digits.slice(0, -4)}.${digits.slice(-4)}`;
        expect(readCost(`KES ${exact}${'0'.repeat(zeros)}`).cost).toBe(exact);
        const shortest = exact.replace(/\.?0+$/, '');
        expect(readCost(`KES ${shortest}`).cost).toBe(exact);
      },
    ),
  );
});

test('a cost of more decimals is never read as less, nor as a ten-thousandth more', () => {
  const fraction = fc.string({ unit: fc.constantFrom(...'0123456789'), minLength: 5, maxLength: 12 });
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 999_998 }), fraction, (whole, decimals) => {
      const scale = 10n ** 12n;
      const exact = BigInt(whole) * scale + BigInt(decimals.padEnd(12, '0'));
      const read = BigInt((readCost(`${String(whole)}.${decimals}`).cost ?? '').replace('.', '')) * 10n ** 8n;
      expect(read >= exact && read - exact < 10n ** 8n).toBe(true);
    }),
  );
});
