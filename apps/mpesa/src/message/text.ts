/** Stands for a character that PostgreSQL text cannot hold. */
const REPLACEMENT = '\uFFFD';

/** Replaces what PostgreSQL text cannot hold: NUL, and halves of surrogate pairs. */
export function storableText(text: string): string {
  return text.toWellFormed().replaceAll('\0', REPLACEMENT);
}
