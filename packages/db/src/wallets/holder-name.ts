/** The longest that a holder's name may be, in characters. */
const LONGEST = 120;

const LATIN =
  '\\u0041-\\u005A\\u0061-\\u007A\\u00AA\\u00BA\\u00C0-\\u00D6\\u00D8-\\u00F6\\u00F8-\\u02AF\\u1E00-\\u1EFF';

/** Letters and marks of the other scripts that names are written in. */
const OTHERS =
  '\\u0386\\u0388-\\u03E1\\u0400-\\u0481\\u0483-\\u0487\\u048A-\\u052F\\u0531-\\u0556\\u0561-\\u0587' +
  '\\u05B0-\\u05BD\\u05D0-\\u05EA\\u0620-\\u063F\\u0641-\\u0652\\u0670-\\u06D3\\u0900-\\u0963\\u0971-\\u0983' +
  '\\u0985-\\u09E3\\u0A01-\\u0A5E\\u0A81-\\u0AE3\\u0B01-\\u0B63\\u0B82-\\u0BD7\\u0C00-\\u0C63\\u0C80-\\u0C83' +
  '\\u0C85-\\u0CE3\\u0D00-\\u0D4E\\u0E01-\\u0E3A\\u0E40-\\u0E4E\\u10A0-\\u10FA\\u10FC-\\u10FF\\u1200-\\u135F' +
  '\\u3005-\\u3006\\u3041-\\u3096\\u30A1-\\u30FA\\u30FC-\\u30FF\\u3400-\\u4DBF\\u4E00-\\u9FFF\\uAC00-\\uD7A3' +
  '\\u{20000}-\\u{323AF}';

const MARKS = '\\u0300-\\u034E\\u0350-\\u036F';

const NAME = new RegExp(
  `^[${LATIN}${OTHERS}][${LATIN}${OTHERS}${MARKS}\\u0027\\u2018\\u2019\\u02BC .\\-]*$`,
  'u',
);
const LINK = new RegExp(`\\.[${LATIN}${OTHERS}${MARKS}]{2}`, 'u');
const LATIN_LETTER = new RegExp(`[${LATIN}]`, 'u');
const OTHER_LETTER = new RegExp(`[${OTHERS}]`, 'u');

/** Cyrillic and Greek letters that look like Latin ones, and those below which they stand. */
const ALIKE = [
  ...'\u0410\u0412\u0415\u041A\u041C\u041D\u041E\u0420\u0421\u0422\u0423\u0425\u0405\u0406\u0408\u0500',
  ...'\u0430\u0432\u0435\u043A\u043C\u043D\u043E\u0440\u0441\u0442\u0443\u0445\u0455\u0456\u0458\u0501',
  ...'\u0391\u0392\u0395\u0396\u0397\u0399\u039A\u039C\u039D\u039F\u03A1\u03A4\u03A5\u03A7\u03B1\u03B9\u03BA\u03BD\u03BF\u03C1',
];
const PLAIN = [...'ABEKMHOPCTYXSIJD', ...'abekmhopctyxsijd', ...'ABEZHIKMNOPTYXaikvop'];
const PLAIN_OF = new Map(ALIKE.map((sign, index) => [sign, PLAIN[index] ?? sign]));

const OWN_WORDS = [
  /mpesa|safaricom|daftari|confirmed|imethibitishwa/,
  /(?:^| )(?:m ?p ?e ?s ?a|s ?a ?f ?a ?r ?i ?c ?o ?m|d ?a ?f ?t ?a ?r ?i)(?: |$)/,
  /(?:^| )(?:kes|kshs?|balance|salio|received|umepokea|umetuma)(?: |$)/,
];

/**
 * Whether a customer may be called so: letters with their marks, spaces, apostrophes, hyphens and full stops, 1 to 120
 * characters, beginning with a letter; nothing that a phone would make a link of, and no words of our own texts, for
 * official messages carry the name. `core.is_holder_name` says the same, and explains it; a test holds them together.
 */
export function isHolderName(text: string): boolean {
  if (!text.isWellFormed() || [...text].length > LONGEST || !NAME.test(text) || LINK.test(text)) return false;
  if (LATIN_LETTER.test(text) && OTHER_LETTER.test(text)) return false;
  const plain = plainLetters(text);
  return !OWN_WORDS.some((words) => words.test(plain));
}

/** The Latin letters that people would read, with single spaces; full stops count as spaces. */
function plainLetters(text: string): string {
  return [...text.normalize('NFKD')]
    .map((sign) => (sign === '.' ? ' ' : (PLAIN_OF.get(sign) ?? sign)))
    .join('')
    .replaceAll(/[^A-Za-z ]/g, '')
    .replaceAll(/ +/g, ' ')
    .toLowerCase();
}
