import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatAmount, formatParty, formatTime, visible } from './presentation.ts';
import { amounts, instants } from './testing/examples.ts';
import { WORDINGS } from './wording.ts';

const { en, sw } = WORDINGS;

test.each([
  ['0.00', 'KES 0.00'],
  ['1.50', 'KES 1.50'],
  ['999.99', 'KES 999.99'],
  ['1500.00', 'KES 1,500.00'],
  ['1000000.00', 'KES 1,000,000.00'],
  ['99999999999999999.99', 'KES 99,999,999,999,999,999.99'],
])('%s is shown as %s', (amount, shown) => {
  expect(formatAmount('KES', amount)).toBe(shown);
});

test('separators change no digit, and stand between groups of three', () => {
  fc.assert(
    fc.property(amounts, (amount) => {
      const shown = formatAmount('KES', amount);
      expect(shown.replaceAll(',', '')).toBe(`KES ${amount}`);
      expect(shown).toMatch(/^KES \d{1,3}(?:,\d{3})*\.\d{2}$/);
    }),
  );
});

test.each([
  ['2026-11-22T17:15:00.000Z', '22 Nov 2026, 20:15 EAT', '22 Nov 2026, 20:15 EAT'],
  ['2026-12-31T21:00:00.000Z', '1 Jan 2027, 00:00 EAT', '1 Jan 2027, 00:00 EAT'],
  ['2028-02-28T20:59:59.999Z', '28 Feb 2028, 23:59 EAT', '28 Feb 2028, 23:59 EAT'],
  ['2026-05-01T00:00:00.000Z', '1 May 2026, 03:00 EAT', '1 Mei 2026, 03:00 EAT'],
])('%s is %s, in Swahili %s', (time, english, swahili) => {
  expect([formatTime(time, en), formatTime(time, sw)]).toEqual([english, swahili]);
});

test('the time is that of a clock in Nairobi', () => {
  const clock = new Intl.DateTimeFormat('en-GB', {
    timeZone: 'Africa/Nairobi',
    day: 'numeric',
    year: 'numeric',
    month: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  });
  fc.assert(
    fc.property(instants, (instant) => {
      const parts = Object.fromEntries(clock.formatToParts(instant).map(({ type, value }) => [type, value]));
      const month = en.months[Number(parts['month']) - 1] ?? '';
      expect(formatTime(instant.toISOString(), en)).toBe(
        `${Number(parts['day'])} ${month} ${parts['year']}, ${parts['hour']}:${parts['minute']} EAT`,
      );
    }),
  );
});

test('a party without a name is its number alone, a system wallet its label in the language', () => {
  const fees = { kind: 'system', number: null, name: 'Fees' } as const;
  const mpesa = { kind: 'system', number: null, name: 'M-PESA' } as const;
  expect(formatParty({ kind: 'customer', number: '******8848', name: null }, en)).toBe('******8848');
  expect([fees, mpesa].map((party) => formatParty(party, en))).toEqual(['Fees', 'M-PESA']);
  expect([fees, mpesa].map((party) => formatParty(party, sw))).toEqual(['Ada', 'M-PESA']);
});

test('what turns the reading direction or cannot be seen is shown as a replacement sign', () => {
  expect(visible('AB\u202E12\u200B\n')).toBe('AB\uFFFD12\uFFFD\uFFFD');
});
