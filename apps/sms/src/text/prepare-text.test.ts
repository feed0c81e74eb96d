import fc from 'fast-check';
import { anyCharacter } from '@repo/testing/characters';
import { expect, test } from 'vitest';
import { BASIC_CHARACTERS, EXTENSION_CHARACTERS, isGsmText } from './gsm-alphabet.ts';
import { sizeOf } from './parts.ts';
import { prepareText } from './prepare-text.ts';

test.each([
  ['“Karibu” – Ng’ang’a…', '"Karibu" - Ng\'ang\'a...'],
  ['KES\u00A01\u202F500.00', 'KES 1 500.00'],
  ['Wanjĩkũ Mũthoni', 'Wanjiku Muthoni'],
  ['Zoe\u0308 and Rene\u0301', 'Zoe and René'],
  ['Nguyễn Thị Hồng', 'Nguyen Thi Hong'],
  ['Sent by Иван Петров today', 'Sent by Ivan Petrov today'],
  ['Sent by Γιώργος in Athens', 'Sent by Giorgos in Athens'],
  ['Sent by 王伟 to Kamau', 'Sent by WangWei to Kamau'],
  ['Paid at ተስፋ Café', 'Paid at tesfa Café'],
  ['Daftari™ №5: −10 → 0', 'DaftariTM No.5: -10 -> 0'],
  ['`code`\t\u20661\u2069\u200B2\uFEFF', "'code' 12"],
  ['ﬁne ５００', 'fine 500'],
  ['ʻokina', "'okina"],
  ['M̨x\u030C', 'Mx'],
])('%s is sent as %s', (text, plain) => {
  expect(prepareText(text)).toEqual({ text: plain, ...sizeOf(plain) });
  expect(isGsmText(plain)).toBe(true);
});

test.each([
  ['an emoji', 'Asante 👍'],
  ['an emoji that the library would write as its name', 'Hello 〰'],
  ['a raised number, which would become another number', 'KES 10²'],
  ['a fraction, which would run into the number before it', '1½ kg'],
  ['a sign per mille', '5 ‰ fee'],
  ['a currency', 'Total ₦500'],
  ['a script without its vowels', 'Sent by محمد to Kamau'],
  ['a name among letters that cannot be spelt', 'Kutoka “Wanjĩkũ” 👍'],
  ['a message in another script', 'Оплата получена, Kamau'],
])('%s keeps the text as it is, in UCS-2', (_what, text) => {
  expect(prepareText(text)).toEqual({ text, ...sizeOf(text) });
  expect(prepareText(text).encoding).toBe('UCS-2');
});

test('a text that would take more parts when spelt stays as it is', () => {
  const short = `${'a'.repeat(35)}${'庄'.repeat(20)}`;
  expect(prepareText(short)).toMatchObject({ encoding: 'GSM-7', parts: 1 });
  const long = `${'a'.repeat(35)}${'庄'.repeat(35)}`;
  expect(prepareText(long)).toMatchObject({ text: long, encoding: 'UCS-2', parts: 1 });
});

test('half of a surrogate pair is counted as the replacement that will be sent', () => {
  expect(prepareText('a\uD83D')).toEqual({ text: 'a\uFFFD', encoding: 'UCS-2', units: 2, parts: 1 });
});

/** Texts of every kind: customers' names in many scripts, typography, emoji, any code unit at all. */
const anyText = fc.oneof(
  fc.string({ unit: anyCharacter, maxLength: 200 }),
  fc.string({ unit: 'grapheme', maxLength: 200 }),
  fc
    .array(
      fc.oneof(
        fc.string({ unit: 'grapheme-ascii', maxLength: 40 }),
        fc.constantFrom(
          '’',
          '–',
          'Wanjĩkũ',
          'Иван',
          '王伟',
          '👍',
          '½',
          '\u00A0',
          'e\u0301',
          '€',
          'محمد',
          'Ωα',
        ),
      ),
    )
    .map((words) => words.join(' ')),
  fc.array(fc.integer({ min: 0, max: 0xffff })).map((units) => String.fromCharCode(...units)),
);

test('a text of GSM-7 is never changed', () => {
  const unit = fc.constantFrom(...BASIC_CHARACTERS, ...EXTENSION_CHARACTERS);
  fc.assert(
    fc.property(fc.string({ unit, maxLength: 400 }), (text) => {
      expect(prepareText(text)).toEqual({ text, ...sizeOf(text) });
    }),
  );
});

test('a text is prepared once and for all, never takes more parts, and is spelt whole or not at all', () => {
  fc.assert(
    fc.property(anyText, (text) => {
      const prepared = prepareText(text);
      expect(prepareText(prepared.text)).toEqual(prepared);
      expect(prepared).toMatchObject(sizeOf(prepared.text));
      expect(prepared.parts).toBeLessThanOrEqual(sizeOf(text).parts);
      if (prepared.encoding === 'UCS-2') expect(prepared.text).toBe(text.toWellFormed());
    }),
    { numRuns: 1_000 },
  );
});

test('what is spelt has not lost a letter, a digit or an emoji', () => {
  const word = fc.constantFrom(
    'Kamau',
    'Иван',
    '王伟',
    'ገብረ',
    '👍',
    '٣',
    'Ñandú',
    'αβγ',
    'ありがと',
    '김',
    '½',
  );
  fc.assert(
    fc.property(fc.array(word, { maxLength: 12 }), (words) => {
      const { text } = prepareText(words.join(' '));
      const kept = text.split(' ');
      expect(kept).toHaveLength(Math.max(1, words.length));
      if (words.length > 0) expect(kept.every((each) => each.length > 0)).toBe(true);
      if (words.includes('👍')) expect(text).toContain('👍');
    }),
  );
});
