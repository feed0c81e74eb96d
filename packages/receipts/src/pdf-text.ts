import type { PDFFont } from '@pdfme/pdf-lib';

/**
 * What of a text the font can draw. The standard fonts know Western European letters only: another letter loses its
 * accent (`Ŵ` becomes `W`); one that is still unknown is replaced, as a star is what masking would have put there.
 */
export function drawable(text: string, font: PDFFont): string {
  const known = new Set(font.getCharacterSet());
  return [...text]
    .map((sign) => [sign, ...sign.normalize('NFD')].find((one) => known.has(one.codePointAt(0) ?? 0)) ?? '*')
    .join('');
}

export interface Fit {
  readonly font: PDFFont;
  readonly size: number;
  /** The room, in points. */
  readonly width: number;
}

/** Breaks a text into lines that fit, at spaces where there are any, else anywhere. */
export function wrap(text: string, fit: Fit): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    const longer = line === '' ? word : `${line} ${word}`;
    if (isWithin(longer, fit)) {
      line = longer;
      continue;
    }
    if (line !== '') lines.push(line);
    const pieces = breakWord(word, fit);
    line = pieces.pop() ?? '';
    lines.push(...pieces);
  }
  return [...lines, line];
}

function breakWord(word: string, fit: Fit): string[] {
  const pieces: string[] = [];
  let piece = '';
  for (const sign of word) {
    if (piece !== '' && !isWithin(piece + sign, fit)) {
      pieces.push(piece);
      piece = '';
    }
    piece += sign;
  }
  return [...pieces, piece];
}

function isWithin(text: string, { font, size, width }: Fit): boolean {
  return font.widthOfTextAtSize(text, size) <= width;
}

/** The largest size, up to `size`, at which the text fits on one line. */
export function shrink(text: string, { font, size, width }: Fit): number {
  return Math.min(size, (size * width) / font.widthOfTextAtSize(text, size));
}
