/**
 * The default alphabet of 3GPP TS 23.038 section 6.2.1: one unit of seven bits each. The escape character is left
 * out, for it is no text.
 */
export const BASIC_CHARACTERS =
  '@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !"#¤%&\'()*+,-./0123456789:;<=>?' +
  '¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà';

/** The extension table of the same section: an escape and a character, so two units each. */
export const EXTENSION_CHARACTERS = '\f^{}\\[~]|€';

const quoted = (characters: string) => characters.replace(/[\\\]^-]/g, '\\$&');

const GSM_TEXT = new RegExp(`^[${quoted(BASIC_CHARACTERS + EXTENSION_CHARACTERS)}]*$`);
const EXTENSION = new RegExp(`[${quoted(EXTENSION_CHARACTERS)}]`, 'g');

/** Whether a text can be sent in seven bits a character. */
export function isGsmText(text: string): boolean {
  return GSM_TEXT.test(text);
}

/** How many characters of a text take two units. */
export function countExtensions(text: string): number {
  return text.match(EXTENSION)?.length ?? 0;
}

export function isExtension(character: string): boolean {
  return EXTENSION_CHARACTERS.includes(character);
}
