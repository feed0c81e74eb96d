import { countExtensions, isExtension, isGsmText } from './gsm-alphabet.ts';

/** How a text travels, and so what it costs: providers charge by the part. */
export interface TextSize {
  readonly encoding: 'GSM-7' | 'UCS-2';
  /** Messages on the air; at least 1. */
  readonly parts: number;
  /** Units of seven bits (GSM-7) or of sixteen (UCS-2). */
  readonly units: number;
}

/** What fits into a message that stands alone, and into each part of several: those carry a header. */
interface Limits {
  readonly alone: number;
  readonly part: number;
}

const GSM_LIMITS: Limits = { alone: 160, part: 153 };
const UCS_LIMITS: Limits = { alone: 70, part: 67 };

/**
 * The size of a text by 3GPP TS 23.040: 160 units of GSM-7 or 70 of UCS-2 in one message, 153 or 67 in each of
 * several. Neither an extension character nor a surrogate pair is split across two parts.
 */
export function sizeOf(text: string): TextSize {
  if (!isGsmText(text)) {
    return {
      encoding: 'UCS-2',
      units: text.length,
      parts: countParts(text, UCS_LIMITS, (each) => each.length),
    };
  }
  const units = text.length + countExtensions(text);
  // The rule, which spares almost every message the walk through its characters.
  const parts =
    units <= GSM_LIMITS.alone ? 1 : countParts(text, GSM_LIMITS, (each) => (isExtension(each) ? 2 : 1));
  return { encoding: 'GSM-7', units, parts };
}

/** Fills parts in order; a character that no longer fits whole begins the next part. */
function countParts(text: string, limits: Limits, unitsOf: (character: string) => number): number {
  let units = 0;
  let parts = 1;
  let used = 0;
  for (const character of text) {
    const size = unitsOf(character);
    units += size;
    used += size;
    if (used <= limits.part) continue;
    parts += 1;
    used = size;
  }
  return units <= limits.alone ? 1 : parts;
}
