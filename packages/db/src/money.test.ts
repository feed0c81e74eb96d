import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AmountError, isDaftariError } from './errors.ts';
import type { AmountFault } from './errors.ts';
import { formatCents, normalizeAmount, parseCents, parsePositiveCents } from './money.ts';
import { amounts, cents, LARGEST_CENTS } from './testing/arbitraries.ts';
import { openTestDb } from './testing/database/test-db.ts';

/** What is wrong with the amount, null for nothing. */
function faultOf(amount: string): AmountFault | null {
  try {
    parseCents(amount);
    return null;
  } catch (error) {
    if (error instanceof AmountError) return error.fault;
    throw error;
  }
}

test('what is formatted is parsed back to the same cents', () => {
  fc.assert(fc.property(cents, (value) => parseCents(formatCents(value)) === value));
});

test('negative cents are written with a minus before the digits', () => {
  fc.assert(fc.property(cents, (value) => value === 0n || formatCents(-value) === `-${formatCents(value)}`));
});

test('a formatted sum has exactly two decimals and no leading zero', () => {
  fc.assert(fc.property(cents, (value) => /^(0|[1-9]\d*)\.\d\d$/.test(formatCents(value))));
});

test('whole shillings and cents count as the integers that they are', () => {
  const shillings = fc.bigInt({ min: 0n, max: 99_999_999_999_999_999n });
  fc.assert(
    fc.property(shillings, fc.integer({ min: 0, max: 99 }), (whole, rest) => {
      const text = `${whole}.${String(rest).padStart(2, '0')}`;
      expect(parseCents(text)).toBe(whole * 100n + BigInt(rest));
    }),
  );
});

test('zeros after the cents change nothing', () => {
  fc.assert(
    fc.property(
      cents,
      fc.nat(20),
      (value, zeros) => parseCents(formatCents(value) + '0'.repeat(zeros)) === value,
    ),
  );
});

test('any part of a cent is refused, however small', () => {
  const parts = fc.tuple(fc.nat(30), fc.integer({ min: 1, max: 9 }), fc.nat(5));
  fc.assert(
    fc.property(cents, parts, (value, [zeros, digit, more]) => {
      const text = formatCents(value) + '0'.repeat(zeros) + String(digit) + '0'.repeat(more);
      expect(faultOf(text)).toBe('too_many_decimals');
    }),
  );
});

test('any sum with a minus is refused as negative', () => {
  fc.assert(fc.property(cents, (value) => faultOf(`-${formatCents(value)}`) === 'negative'));
});

test('any sum of more than 17 digits before the point is refused as too large', () => {
  const long = fc.stringMatching(/^\d{18,40}$/);
  fc.assert(fc.property(long, cents, (whole, rest) => faultOf(`${whole}.${rest % 100n}`) === 'too_large'));
});

test('one decimal is tenths of a shilling', () => {
  expect(parseCents('10.5')).toBe(1_050n);
});

test('leading zeros are dropped', () => {
  expect(normalizeAmount('0010.5')).toBe('10.50');
});

test('the largest sum of the column is accepted', () => {
  expect(parseCents('99999999999999999.99')).toBe(LARGEST_CENTS);
});

test.for([
  ['half a cent', '100.005', 'too_many_decimals'],
  ['an exponent', '1e3', 'malformed'],
  ['a minus', '-1', 'negative'],
  ['a minus before zero', '-0.00', 'negative'],
  ['two minuses', '--1', 'malformed'],
  ['a plus', '+1', 'malformed'],
  ['a space before', ' 1', 'malformed'],
  ['a space after', '1 ', 'malformed'],
  ['a line break after', '1\n', 'malformed'],
  ['grouping', '1,000', 'malformed'],
  ['no digit before the point', '.5', 'malformed'],
  ['no digit after the point', '1.', 'malformed'],
  ['two points', '1.0.0', 'malformed'],
  ['a decimal comma', '1,5', 'malformed'],
  ['nothing', '', 'malformed'],
  ['no number', 'NaN', 'malformed'],
  ['infinity', 'Infinity', 'malformed'],
  ['hexadecimal', '0x10', 'malformed'],
  ['digits of another script', '١٠', 'malformed'],
  ['full-width digits', '１０', 'malformed'],
  ['18 digits', '100000000000000000', 'too_large'],
  ['18 digits that begin with a zero', '010000000000000000', 'too_large'],
] as const)('%s is refused, and the error says as what', ([, amount, fault]) => {
  expect(faultOf(amount)).toBe(fault);
});

test('zero is a sum, but none that can be moved', () => {
  expect(parseCents('0.00')).toBe(0n);
  expect(() => parsePositiveCents('0.00')).toThrow(expect.objectContaining({ fault: 'zero' }));
  expect(parsePositiveCents('0.01')).toBe(1n);
});

test('each fault of an amount has its own words under the one code', () => {
  const errors = ['malformed', 'negative', 'zero', 'too_many_decimals', 'too_large'] as const;
  const made = errors.map((fault) => new AmountError(fault));
  expect(new Set(made.map(({ message }) => message)).size).toBe(errors.length);
  expect(made.every((error) => isDaftariError(error) && error.code === 'invalid_amount')).toBe(true);
});

test('no text at all makes anything but a sum in range or a refusal', () => {
  const odd = fc.oneof(fc.string(), fc.stringMatching(/^[-+ ]?[0-9.,eE]{0,25}$/));
  fc.assert(
    fc.property(odd, (text) => {
      try {
        const value = parseCents(text);
        expect(value >= 0n && value <= LARGEST_CENTS && /^\d+(\.\d+)?$/.test(text)).toBe(true);
      } catch (error) {
        expect(error).toMatchObject({ code: 'invalid_amount' });
      }
    }),
    { numRuns: 1_000 },
  );
});

test('every sum survives the way into a DECIMAL(19,2) column and back', async () => {
  await using database = await openTestDb();
  await database.sql('CREATE TEMP TABLE sums (place int, amount DECIMAL(19,2))');
  await fc.assert(
    fc.asyncProperty(fc.array(amounts, { minLength: 1, maxLength: 500 }), async (sent) => {
      await database.sql('TRUNCATE sums');
      await database.sql(
        'INSERT INTO sums SELECT place, amount FROM unnest($1::numeric[]) WITH ORDINALITY AS t (amount, place)',
        [sent],
      );
      const rows = await database.sql('SELECT amount::text AS amount FROM sums ORDER BY place');
      expect(rows.map((row) => row['amount'])).toEqual(sent);
    }),
    { numRuns: 10 },
  );
});
