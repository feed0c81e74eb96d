import { isGsmText } from './gsm-alphabet.ts';
import { sizeOf } from './parts.ts';
import type { TextSize } from './parts.ts';
import { transliterate } from './transliterate.ts';

export interface PreparedText extends TextSize {
  /** What to send. */
  readonly text: string;
}

/**
 * Makes a text ready to be sent: spelt in GSM-7 where that loses no meaning, for one curly quote would otherwise
 * make a message of 160 characters cost three parts instead of one. A text of GSM-7 is never changed; one that
 * cannot become GSM-7 whole stays as it is and travels as UCS-2, for a half-spelt text would cost the same.
 * The result never takes more parts than the text, and preparing it again changes nothing.
 */
export function prepareText(text: string): PreparedText {
  if (isGsmText(text)) return { text, ...sizeOf(text) };
  // Half of a surrogate pair has no form in UTF-8. Whatever sends the text would replace it; here it is counted so.
  const wellFormed = text.toWellFormed();
  const untouched = { text: wellFormed, ...sizeOf(wellFormed) };
  const spelt = transliterate(wellFormed);
  if (spelt === null) return untouched;
  const prepared = { text: spelt, ...sizeOf(spelt) };
  // One sign of Chinese can be six letters.
  return prepared.parts <= untouched.parts ? prepared : untouched;
}
