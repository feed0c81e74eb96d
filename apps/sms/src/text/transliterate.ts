import anyAscii from 'any-ascii';
import { isGsmText } from './gsm-alphabet.ts';

/**
 * Signs whose plain form is defined here, because the library's form is missing, outside GSM-7 or means something else.
 */
const PLAIN_SIGNS: Readonly<Record<string, string>> = {
  '`': "'",
  '´': "'",
  '×': 'x',
  '−': '-',
  '→': '->',
  '≤': '<=',
  '≥': '>=',
  '™': 'TM',
  '©': '(C)',
  '®': '(R)',
  '№': 'No.',
  '\t': ' ',
  '\u0085': '\n',
  '\u2028': '\n',
  '\u2029': '\n',
};

/**
 * Letters that can be spelt in Latin so that a name is still recognised: alphabets and syllabaries that write their
 * vowels. Arabic, Hebrew and the scripts of India stay as they are: without the vowels that they leave out,
 * Muhammad would become `mhmd`.
 */
const SPELLABLE =
  /[\p{sc=Latin}\p{sc=Greek}\p{sc=Cyrillic}\p{sc=Armenian}\p{sc=Georgian}\p{sc=Ethiopic}\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Hangul}]/u;

/** Dashes, quotes, brackets, spaces, digits of other scripts, and the points that have a plain form. */
const PLAINABLE =
  /[\p{Pd}\p{Pi}\p{Pf}\p{Ps}\p{Pe}\p{Pc}\p{Zs}\p{Nd}·…•․‥‧′″‴‼⁇⁈⁉、。・！＂＃％＆＇＊，．／：；？＠＼ʹʻʼʽˈ]/u;

/** What nobody sees: control and format characters, and accents that no composed letter took up. */
const INVISIBLE = /[\p{Cc}\p{Cf}]|(?=\p{M})\p{sc=Inherited}/u;

/** GSM-7 has ten Greek capitals. Beside a letter that has to be spelt in Latin they are spelt as well: Giorgos. */
const GREEK = /\p{sc=Greek}/u;
const SMALL_GREEK = /(?=\p{sc=Greek})[^ΔΦΓΛΩΠΨΣΘΞ]/u;

/** The library writes signs that it has no letters for by name, `:wavy_dash:`. Nobody wants to read that. */
const SPELLED_NAME = /^:\w+:$/;

/**
 * A text spelt in the GSM-7 alphabet, or null when something in it has no plain form: an emoji, a sum (½, 10²), a
 * script whose vowels are not written. The meaning is never thinned out to save a part.
 *
 * A text mainly in another script is null too: who writes a message in Cyrillic means it to be read so. In a Latin
 * text such words are names.
 */
export function transliterate(text: string): string | null {
  if (!isMainlyLatin(text)) return null;
  // Composed first: e with an accent of its own is a letter of GSM-7 only as é.
  const composed = text.normalize('NFC');
  const spellsGreek = SMALL_GREEK.test(composed);
  let result = '';
  for (const character of composed) {
    const stays = isGsmText(character) && !(spellsGreek && GREEK.test(character));
    const plain = stays ? character : plainForm(character);
    if (plain === null) return null;
    result += plain;
  }
  return result;
}

function isMainlyLatin(text: string): boolean {
  const letters = text.match(/\p{L}/gu)?.length ?? 0;
  const latin = text.match(/(?=\p{L})\p{sc=Latin}/gu)?.length ?? 0;
  return latin * 2 >= letters;
}

/** The plain form of a character outside GSM-7, or null. */
function plainForm(character: string): string | null {
  const settled = PLAIN_SIGNS[character];
  if (settled !== undefined) return settled;
  if (INVISIBLE.test(character)) return '';
  if (!SPELLABLE.test(character) && !PLAINABLE.test(character)) return null;
  const spelt = anyAscii(character).replaceAll('`', "'");
  return spelt === '' || SPELLED_NAME.test(spelt) || !isGsmText(spelt) ? null : spelt;
}
