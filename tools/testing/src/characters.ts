import fc from 'fast-check';

const LONE_SURROGATES = { from: 0xd800, count: 0x800 };
const CHARACTERS = 0x110000 - LONE_SURROGATES.count;

/**
 * Any character of Unicode, for `fc.string({ unit: anyCharacter })`: the strings of `unit: 'binary'`, which makes a table of
 * all characters first, three seconds of processor time and 120 MB for each process.
 */
export const anyCharacter = fc
  .nat(CHARACTERS - 1)
  .map(
    (place) => String.fromCodePoint(place < LONE_SURROGATES.from ? place : place + LONE_SURROGATES.count),
    placeOf,
  );

/** The way back, by which fast-check also takes texts that are known to be dangerous. */
function placeOf(character: unknown): number {
  const code =
    typeof character === 'string' && character.isWellFormed() ? character.codePointAt(0) : undefined;
  if (code === undefined || String.fromCodePoint(code) !== character) throw new TypeError('no character');
  return code < LONE_SURROGATES.from ? code : code - LONE_SURROGATES.count;
}
