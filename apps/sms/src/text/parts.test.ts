import fc from 'fast-check';
import { SegmentedMessage } from 'sms-segments-calculator';
import { anyCharacter } from '@repo/testing/characters';
import { expect, test } from 'vitest';
import { BASIC_CHARACTERS, EXTENSION_CHARACTERS } from './gsm-alphabet.ts';
import { sizeOf } from './parts.ts';

test.each([
  ['nothing', '', { encoding: 'GSM-7', units: 0, parts: 1 }],
  ['160 letters', 'a'.repeat(160), { encoding: 'GSM-7', units: 160, parts: 1 }],
  ['161 letters', 'a'.repeat(161), { encoding: 'GSM-7', units: 161, parts: 2 }],
  ['2 x 153 letters', 'a'.repeat(306), { encoding: 'GSM-7', units: 306, parts: 2 }],
  ['one letter more', 'a'.repeat(307), { encoding: 'GSM-7', units: 307, parts: 3 }],
  ['a euro that ends at 160', `${'a'.repeat(158)}€`, { encoding: 'GSM-7', units: 160, parts: 1 }],
  ['a euro that ends at 161', `${'a'.repeat(159)}€`, { encoding: 'GSM-7', units: 161, parts: 2 }],
  [
    'a euro that would lie across the border of two full parts',
    `${'a'.repeat(152)}€${'a'.repeat(152)}`,
    { encoding: 'GSM-7', units: 306, parts: 3 },
  ],
  ['70 of UCS-2', `${'a'.repeat(69)}ĩ`, { encoding: 'UCS-2', units: 70, parts: 1 }],
  ['71 of UCS-2', `${'a'.repeat(70)}ĩ`, { encoding: 'UCS-2', units: 71, parts: 2 }],
  ['2 x 67 of UCS-2', 'ĩ'.repeat(134), { encoding: 'UCS-2', units: 134, parts: 2 }],
  ['a euro in UCS-2 is one unit', `ĩ${'€'.repeat(69)}`, { encoding: 'UCS-2', units: 70, parts: 1 }],
  [
    'an emoji that would lie across the border',
    `${'a'.repeat(66)}👍${'a'.repeat(66)}`,
    { encoding: 'UCS-2', units: 134, parts: 3 },
  ],
])('%s', (_what, text, size) => {
  expect(sizeOf(text)).toEqual(size);
});

/** The fewest parts that hold characters of these sizes in their order: every way to cut is looked at. */
function fewestParts(sizes: readonly number[], part: number): number {
  const fewest: number[] = [0];
  for (let end = 1; end <= sizes.length; end += 1) {
    let best = Infinity;
    let used = 0;
    for (let start = end - 1; start >= 0; start -= 1) {
      used += sizes[start] ?? 0;
      if (used > part) break;
      best = Math.min(best, 1 + (fewest[start] ?? Infinity));
    }
    fewest.push(best);
  }
  return Math.max(1, fewest[sizes.length] ?? 1);
}

function plainSize(text: string, isGsm: boolean) {
  const sizes = [...text].map((each) => {
    if (!isGsm) return each.length;
    return EXTENSION_CHARACTERS.includes(each) ? 2 : 1;
  });
  const units = sizes.reduce((sum, each) => sum + each, 0);
  const [alone, part] = isGsm ? [160, 153] : [70, 67];
  return {
    encoding: isGsm ? 'GSM-7' : 'UCS-2',
    units,
    parts: units <= alone ? 1 : fewestParts(sizes, part),
  };
}

const gsmCharacter = fc.oneof(
  fc.constantFrom(...BASIC_CHARACTERS),
  fc.constantFrom(...EXTENSION_CHARACTERS),
  {
    arbitrary: fc.constant('€'),
    weight: 3,
  },
);
const gsmText = fc.string({ unit: gsmCharacter, maxLength: 500, size: 'max' });

test('the parts of a GSM-7 text are the fewest that hold its characters whole', () => {
  fc.assert(
    fc.property(gsmText, (text) => {
      expect(sizeOf(text)).toEqual(plainSize(text, true));
    }),
  );
});

test('the parts of any other text are the fewest that hold its characters whole', () => {
  const character = fc.oneof(
    fc.constantFrom('a', '€', '👍', 'ĩ', '\u0301'),
    fc.string({ unit: anyCharacter }),
  );
  fc.assert(
    fc.property(fc.array(character, { maxLength: 250, size: 'max' }), (characters) => {
      const text = `${characters.join('')}ĩ`;
      expect(sizeOf(text)).toEqual(plainSize(text, false));
    }),
  );
});

test('a segment calculator of others counts the same where no character is made of several', () => {
  const ucsText = fc
    .string({ unit: fc.constantFrom('a', '€', '’', 'ĩ', 'Ж', '王', '👍', '💰'), maxLength: 250, size: 'max' })
    .map((text) => `${text}’`);
  fc.assert(
    fc.property(fc.oneof(gsmText, ucsText), (text) => {
      const theirs = new SegmentedMessage(text);
      expect(sizeOf(text)).toMatchObject({ encoding: theirs.encodingName, parts: theirs.segmentsCount });
    }),
  );
});
