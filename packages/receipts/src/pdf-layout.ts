import type { PDFFont } from '@pdfme/pdf-lib';
import { drawable, shrink, wrap } from './pdf-text.ts';
import type { Presentation, Row } from './presentation.ts';
import { QUIET_ZONE } from './qr-code.ts';
import type { Paper } from './receipt-styles.ts';
import type { Wording } from './wording.ts';

export interface Fonts {
  readonly regular: PDFFont;
  readonly bold: PDFFont;
  readonly mono: PDFFont;
}

/** Lengths in points (1/72 inch). */
export interface PaperShape {
  readonly width: number;
  /** Null: as high as the content. */
  readonly height: number | null;
  readonly margin: number;
  readonly textSize: number;
  readonly amountSize: number;
  readonly labelWidth: number;
  readonly codeSide: number;
  /** Whether labels stand above their values, and the code above its explanation. */
  readonly stacked: boolean;
}

const MM = 72 / 25.4;

export const PAPER_SHAPES: Readonly<Record<Paper, PaperShape>> = {
  a4: {
    width: 210 * MM,
    height: 297 * MM,
    margin: 20 * MM,
    textSize: 12,
    amountSize: 26,
    labelWidth: 52 * MM,
    codeSide: 50 * MM,
    stacked: false,
  },
  // Print heads reach 72 of the 80 mm.
  roll: {
    width: 80 * MM,
    height: null,
    margin: 5 * MM,
    textSize: 9.5,
    amountSize: 18,
    labelWidth: 0,
    codeSide: 52 * MM,
    stacked: true,
  },
};

/** Something to draw. `x` and `y` are the distance from the upper left corner; of a text, that of its baseline. */
export type Mark =
  | {
      readonly kind: 'text';
      readonly x: number;
      readonly y: number;
      readonly text: string;
      readonly font: PDFFont;
      readonly size: number;
      readonly soft: boolean;
    }
  | { readonly kind: 'rule'; readonly x: number; readonly y: number; readonly width: number }
  | { readonly kind: 'code'; readonly x: number; readonly y: number; readonly side: number };

export interface Layout {
  readonly marks: readonly Mark[];
  readonly height: number;
}

/** What a receipt shows; `address` is where it can be checked, as people type it. */
export interface Content {
  readonly shown: Presentation;
  readonly words: Wording;
  readonly address: string;
}

interface Style {
  readonly fonts: Fonts;
  readonly shape: PaperShape;
}

interface Block {
  readonly text: string;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly font: PDFFont;
  readonly size: number;
  readonly soft?: boolean;
}

const LINE = 1.35;

/** Smaller letters nobody reads. */
const SMALLEST_TEXT = 7;

/** Places everything that a receipt shows, from the top down, in letters small enough for one page. */
export function layOut(content: Content, style: Style): Layout {
  const { layout, end } = layOutOnce(content, style);
  const { height, margin, textSize } = style.shape;
  if (height === null || end <= height - margin || textSize <= SMALLEST_TEXT) return layout;
  return layOut(content, { ...style, shape: { ...style.shape, textSize: textSize - 0.5 } });
}

function layOutOnce({ shown, words, address }: Content, style: Style): { layout: Layout; end: number } {
  const { fonts, shape } = style;
  const { margin, textSize, stacked } = shape;
  const width = shape.width - 2 * margin;
  const marks: Mark[] = [];

  let y = margin;
  const head = { x: margin, width, font: fonts.bold };
  if (shown.issuer !== null) {
    y = place(marks, { ...head, text: shown.issuer.name, y, size: textSize * 1.25 }) + textSize * 0.6;
  }
  y = place(marks, { ...head, text: words.receipt, y, size: textSize * 1.25 }) + textSize * 0.6;
  y = place(marks, { ...head, text: shown.amountLabel, y, font: fonts.regular, size: textSize, soft: true });
  const fitted = shrink(shown.amount, { font: fonts.bold, size: shape.amountSize, width });
  // A hair smaller than what fits exactly, so that rounding never breaks the line.
  y = place(marks, { ...head, text: shown.amount, y, size: fitted * 0.999 }) + textSize * 0.8;
  y = placeRule(marks, { x: margin, y, width });
  for (const row of shown.rows) {
    y = placeRule(marks, { x: margin, y: placeRow(marks, { row, y, style }), width });
  }
  y = placeCode(marks, { shown, words, y: y + textSize, style });
  if (!shown.isFirstVersion) y = placeFoot(marks, { shown, words, address, y: y + textSize, style });
  return { layout: { marks, height: shape.height ?? y + margin + (stacked ? margin : 0) }, end: y };
}

function placeRow(marks: Mark[], { row, y, style: { fonts, shape } }: RowPlace): number {
  const { margin, textSize: size, labelWidth, stacked } = shape;
  const width = shape.width - 2 * margin - labelWidth;
  const top = y + size * (stacked ? 0.35 : 0.6);
  const labelRoom = stacked ? width : labelWidth;
  const below = place(marks, {
    text: row.label,
    x: margin,
    y: top,
    width: labelRoom,
    font: fonts.regular,
    size,
    soft: true,
  });
  const value = { text: row.value, x: margin + labelWidth, width, font: fonts.bold, size };
  const end = place(marks, { ...value, y: stacked ? below : top });
  return Math.max(below, end) + size * (stacked ? 0.35 : 0.6);
}

interface RowPlace {
  readonly row: Row;
  readonly y: number;
  readonly style: Style;
}

/** The QR code with its explanation beside it, or below it on a roll. */
function placeCode(marks: Mark[], { shown, words, y, style: { fonts, shape } }: CodePlace): number {
  const { margin, textSize, codeSide, stacked } = shape;
  const inner = shape.width - 2 * margin;
  marks.push({ kind: 'code', x: stacked ? (shape.width - codeSide) / 2 : margin, y, side: codeSide });
  const x = stacked ? margin : margin + codeSide + textSize;
  const width = stacked ? inner : inner - codeSide - textSize;
  const small = { x, width, font: fonts.regular, size: textSize * 0.85 };
  let end = stacked ? y + codeSide : y + textSize;
  end = place(marks, { ...small, text: words.scan, y: end, size: textSize }) + textSize * 0.6;
  end = place(marks, { ...small, text: shown.hash.label, y: end, soft: true });
  // Two lines of equal length are easier to compare than one and a rest.
  const half = Math.min(width, fonts.mono.widthOfTextAtSize('0'.repeat(32), small.size) + 1);
  end =
    place(marks, { ...small, text: shown.hash.value, y: end, width: half, font: fonts.mono }) +
    textSize * 0.6;
  end = place(marks, { ...small, text: words.signed, y: end, soft: true });
  return Math.max(end, y + codeSide);
}

interface CodePlace {
  readonly shown: Presentation;
  readonly words: Wording;
  readonly y: number;
  readonly style: Style;
}

/** Where the receipt can be checked without a camera, and whom to ask. */
function placeFoot(marks: Mark[], { shown, words, address, y, style: { fonts, shape } }: FootPlace): number {
  const { margin: x, textSize } = shape;
  const small = { x, width: shape.width - 2 * x, font: fonts.regular, size: textSize * 0.85 };
  let end = place(marks, { ...small, text: words.orOpen, y, soft: true });
  end = place(marks, { ...small, text: address, y: end });
  const contact = shown.issuer?.contact ?? null;
  return contact === null ? end : place(marks, { ...small, text: contact, y: end + textSize * 0.6 });
}

interface FootPlace extends CodePlace {
  readonly address: string;
}

/** Places a text over as many lines as it needs; answers where the next thing may begin. */
function place(marks: Mark[], { text, x, y, width, font, size, soft = false }: Block): number {
  const lines = wrap(drawable(text, font), { font, size, width });
  for (const [index, line] of lines.entries()) {
    marks.push({ kind: 'text', x, y: y + index * size * LINE + size, text: line, font, size, soft });
  }
  return y + lines.length * size * LINE;
}

function placeRule(marks: Mark[], rule: { x: number; y: number; width: number }): number {
  marks.push({ kind: 'rule', ...rule });
  return rule.y;
}

/** The side of one module of a code that is drawn `side` wide with its quiet zone. */
export function moduleSide(side: number, modules: number): number {
  return side / (modules + 2 * QUIET_ZONE);
}
