import fc from 'fast-check';
import { expect, test } from 'vitest';
import { anyCharacter } from './characters.ts';

test('every character can be made, and no half of one', () => {
  const places = [0, 0x41, 0xd7ff, 0xe000, 0xffff, 0x1f600, 0x10ffff].map((code) =>
    String.fromCodePoint(code),
  );
  for (const character of places) expect(anyCharacter.canShrinkWithoutContext(character)).toBe(true);
  for (const other of ['', 'ab', '\ud800', '\udfff', 7]) {
    expect(anyCharacter.canShrinkWithoutContext(other)).toBe(false);
  }
  fc.assert(
    fc.property(anyCharacter, (character) => character.isWellFormed() && [...character].length === 1),
  );
});

test('strings of it hold what is dangerous as a name, as other strings of fast-check do', () => {
  const texts = fc.sample(fc.string({ unit: anyCharacter }), { numRuns: 1_000, seed: 1 });
  expect(texts).toContain('__proto__');
});
