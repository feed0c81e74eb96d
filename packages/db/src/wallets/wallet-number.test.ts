import fc from 'fast-check';
import { expect, test } from 'vitest';
import { openTestDb } from '../testing/database/test-db.ts';
import { hasCheckDigit, newWalletNumber } from './wallet-number.ts';

const numbers = fc.constant(null).map(newWalletNumber);
const prefixes = fc.integer({ min: 100_000_000, max: 999_999_999 }).map(String);

/** The check digit of nine digits, found by asking for each. */
function checkDigits(nine: string): string[] {
  return [...'0123456789'].filter((digit) => hasCheckDigit(nine + digit));
}

test('a new number has ten digits, no leading zero and its check digit', () => {
  fc.assert(
    fc.property(numbers, (number) => {
      expect(number).toMatch(/^[1-9]\d{9}$/);
      expect(hasCheckDigit(number)).toBe(true);
    }),
  );
});

test('new numbers do not repeat themselves', () => {
  const many = Array.from({ length: 1_000 }, newWalletNumber);
  // Of 1,000 among 900 million the chance that two are equal is one in 1,800; of three or more, nothing to speak of.
  expect(new Set(many).size).toBeGreaterThan(997);
});

test('nine digits have exactly one check digit', () => {
  fc.assert(fc.property(prefixes, (nine) => checkDigits(nine).length === 1));
});

test('every single wrong digit is found', () => {
  fc.assert(
    fc.property(prefixes, fc.nat(9), fc.integer({ min: 1, max: 9 }), (nine, place, shift) => {
      const number = nine + String(checkDigits(nine)[0]);
      const wrong = String((Number(number[place]) + shift) % 10);
      expect(hasCheckDigit(number.slice(0, place) + wrong + number.slice(place + 1))).toBe(false);
    }),
    { numRuns: 2_000 },
  );
});

test('every swap of two different neighbours is found', () => {
  fc.assert(
    fc.property(prefixes, fc.nat(8), (nine, place) => {
      const number = nine + String(checkDigits(nine)[0]);
      const [left = '', right = ''] = number.slice(place, place + 2);
      fc.pre(left !== right);
      expect(hasCheckDigit(number.slice(0, place) + right + left + number.slice(place + 2))).toBe(false);
    }),
    { numRuns: 2_000 },
  );
});

test.for([
  ['nine digits', '123456789'],
  ['eleven digits', '12345678901'],
  ['a leading zero', '0000000000'],
  ['a letter', '12345678a0'],
  ['a line break at the end', '1234567890\n'],
  ['digits of another script', '١٢٣٤٥٦٧٨٩٠'],
  ['nothing', ''],
])('%s can be no number of ours', ([, text]) => {
  expect(hasCheckDigit(text ?? '')).toBe(false);
});

test('TypeScript and SQL agree on what is a number', async () => {
  await using database = await openTestDb();
  const texts = fc.oneof(
    numbers,
    fc.stringMatching(/^[0-9]{8,11}\n?$/),
    fc.stringMatching(/^[0-9 a١]{0,12}$/),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(texts, { minLength: 500, maxLength: 1_000 }), async (cases) => {
      const rows = await database.sql(
        `SELECT core.has_check_digit(n) AS fit FROM unnest($1::text[]) WITH ORDINALITY AS t (n, ord) ORDER BY ord`,
        [cases],
      );
      expect(rows.map((row) => row['fit'])).toEqual(cases.map(hasCheckDigit));
    }),
    { numRuns: 5 },
  );
});

test("the table is of Damm's kind: a Latin square, and no swap comes out the same", () => {
  // The table is private, so it is measured: the state after some digits is the check digit that fits them.
  const stateAfter = (digits: string) => Number(checkDigits(digits.padStart(9, '1'))[0]);
  const prefixOf = new Map<number, string>();
  for (let i = 0; i < 100 && prefixOf.size < 10; i += 1) {
    const prefix = `111111${String(i).padStart(2, '0')}`.slice(0, 8);
    prefixOf.set(stateBefore(prefix), prefix);
  }
  const table = [...prefixOf.entries()]
    .toSorted(([left], [right]) => left - right)
    .map(([, prefix]) => [...'0123456789'].map((digit) => stateAfter(prefix + digit)));
  const columns = table.map((_, digit) => table.map((row) => row[digit]));

  expect(table).toHaveLength(10);
  for (const line of [...table, ...columns]) expect(new Set(line).size).toBe(10);
  for (const row of table) {
    for (let x = 0; x < 10; x += 1) {
      for (let y = 0; y < x; y += 1) {
        expect(table[row[x] ?? 0]?.[y]).not.toBe(table[row[y] ?? 0]?.[x]);
      }
    }
  }
});

/** The state after eight digits: in Damm's scheme it is the digit d for which the state after it is zero. */
function stateBefore(eight: string): number {
  for (let digit = 0; digit < 10; digit += 1) {
    if (checkDigits(eight + String(digit))[0] === '0') return digit;
  }
  throw new Error('no digit leads to state zero: the table is no Latin square');
}
