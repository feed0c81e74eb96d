import { parseKeepingNumbers } from './json-numbers.ts';
import { storableText } from './text.ts';

/**
 * The largest exponent that is left in a number, that of the largest double. `jsonb` holds up to 1e131071 and
 * writes it out with all its zeros: a few such numbers make a row too large to read again.
 */
const MAX_EXPONENT = 308;

/** `numeric`, which holds the numbers of `jsonb`, has so many digits after the point. */
const MAX_FRACTION_DIGITS = 16_383;

/** An escape that may name NUL or half of a surrogate pair, or a number whose exponent may be too large. */
const SUSPECT = /\\u0000|\\u[dD][89a-fA-F]|(?:^|[:,[\s])-?\d+(?:\.\d+)?[eE][+-]?\d{3}/;

/**
 * The JSON text to keep in a `jsonb` column for a message, or null when the message's own text can be kept as it is.
 * `text` must be valid JSON. Replaced are NUL and lone surrogates, in keys too, by U+FFFD; and numbers that
 * `jsonb` refuses or inflates, by strings of their source text. Every other number keeps all its digits.
 */
export function storablePayload(text: string): string | null {
  // Decided on the text, not on what it parses to: where a key is repeated, the value that parsing drops counts for
  // jsonb all the same. A harmless text that looks suspect comes out written again, which costs nothing but space.
  if (text.length <= MAX_FRACTION_DIGITS && !SUSPECT.test(text)) return null;
  return JSON.stringify(replaceUnstorable(parseKeepingNumbers(text)));
}

function replaceUnstorable(value: unknown): unknown {
  if (typeof value === 'string') return storableText(value);
  if (JSON.isRawJSON(value)) return isStorableNumber(value.rawJSON) ? value : value.rawJSON;
  if (Array.isArray(value)) return value.map(replaceUnstorable);
  if (typeof value !== 'object' || value === null) return value;
  // `fromEntries` defines properties, so that a key `__proto__` stays a key.
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [storableText(key), replaceUnstorable(item)]),
  );
}

function isStorableNumber(source: string): boolean {
  const [mantissa = '', exponent = '0'] = source.split(/[eE]/);
  const fraction = mantissa.split('.')[1] ?? '';
  // An exponent of more digits than a double holds exactly is still far beyond the limit.
  const power = Number(exponent);
  return Math.abs(power) <= MAX_EXPONENT && fraction.length - power <= MAX_FRACTION_DIGITS;
}
