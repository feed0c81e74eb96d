import { PDFDocument, StandardFonts, rgb } from '@pdfme/pdf-lib';
import type { PDFFont, PDFPage } from '@pdfme/pdf-lib';
import type { Language } from './language.ts';
import { drawable, wrap } from './pdf-text.ts';
import { presentStatement } from './statement.ts';
import type { ShownEntry, ShownStatement, Statement } from './statement.ts';

const MM = 72 / 25.4;
const WIDTH = 210 * MM;
const HEIGHT = 297 * MM;
const MARGIN = 15 * MM;
const SIZE = 9;
const LINE = 1.3 * SIZE;
const GAP = 8;

const black = rgb(0, 0, 0);
const grey = rgb(0.35, 0.35, 0.35);

/** Where the columns begin, and how broad they are; sums stand at the right of theirs. */
const COLUMNS = [
  { x: MARGIN, width: 104, isSum: false },
  { x: MARGIN + 104 + GAP, width: 158, isSum: false },
  { x: MARGIN + 270 + GAP, width: 70, isSum: true },
  { x: MARGIN + 348 + GAP, width: 70, isSum: true },
  { x: MARGIN + 426 + GAP, width: WIDTH - 2 * MARGIN - 426 - GAP, isSum: true },
] as const;

interface Pen {
  readonly document: PDFDocument;
  readonly regular: PDFFont;
  readonly bold: PDFFont;
  page: PDFPage;
  /** The distance of the next line from the upper edge. */
  y: number;
}

/**
 * A wallet's statement as a PDF of A4 pages: whose it is, the period and its balances, each movement with the balance
 * after it, and the number of each page. The same statement gives the same bytes.
 */
export async function statementPdf(statement: Statement, language: Language): Promise<Uint8Array> {
  const shown = presentStatement(statement, language);
  const document = await PDFDocument.create({ updateMetadata: false });
  const madeAt = new Date(statement.madeAt);
  document.setTitle(`${shown.title}: ${statement.wallet}`, { showInWindowTitleBar: true });
  document.setLanguage(language);
  document.setCreator('Daftari');
  document.setProducer('Daftari');
  document.setCreationDate(madeAt);
  document.setModificationDate(madeAt);
  const regular = await document.embedFont(StandardFonts.Helvetica);
  const bold = await document.embedFont(StandardFonts.HelveticaBold);
  const page = document.addPage([WIDTH, HEIGHT]);
  const pen: Pen = { document, regular, bold, page, y: MARGIN };
  writeHead(pen, shown);
  writeTableHead(pen, shown);
  for (const row of shown.rows) writeRow(pen, row, shown);
  numberPages(pen, shown);
  return document.save({ useObjectStreams: true, addDefaultPage: false, updateFieldAppearances: false });
}

function writeHead(pen: Pen, { issuer, title, facts }: ShownStatement): void {
  const width = WIDTH - 2 * MARGIN;
  if (issuer !== null) writeLines(pen, issuer.name, { x: MARGIN, width, font: pen.bold, size: 14 });
  writeLines(pen, title, { x: MARGIN, width, font: pen.bold, size: 14 });
  pen.y += LINE / 2;
  for (const [label, value] of facts) {
    const top = pen.y;
    writeLines(pen, label, { x: MARGIN, width: 110, font: pen.regular, size: SIZE, color: grey });
    const below = pen.y;
    pen.y = top;
    writeLines(pen, value, { x: MARGIN + 120, width: width - 120, font: pen.bold, size: SIZE });
    pen.y = Math.max(pen.y, below) + 2;
  }
  if (issuer?.contact !== null && issuer !== null) {
    writeLines(pen, issuer.contact, { x: MARGIN, width, font: pen.regular, size: SIZE, color: grey });
  }
  pen.y += LINE;
}

interface Style {
  readonly x: number;
  readonly width: number;
  readonly font: PDFFont;
  readonly size: number;
  readonly color?: typeof black;
  readonly isSum?: boolean;
}

function writeLines(pen: Pen, text: string, style: Style): void {
  for (const line of linesOf(text, style)) {
    writeLine(pen, line, style);
    pen.y += style.size * 1.3;
  }
}

function linesOf(text: string, { font, size, width }: Pick<Style, 'font' | 'size' | 'width'>): string[] {
  return wrap(drawable(text, font), { font, size, width });
}

function writeLine({ page, y }: Pen, line: string, { x, width, font, size, color, isSum }: Style): void {
  const left = isSum === true ? x + width - font.widthOfTextAtSize(line, size) : x;
  page.drawText(line, { x: left, y: HEIGHT - y - size, font, size, color: color ?? black });
}

function writeTableHead(pen: Pen, shown: ShownStatement): void {
  writeCells(
    pen,
    shown.columns.map((text) => [text]),
    pen.bold,
  );
  drawRule(pen, 1);
}

function writeRow(
  pen: Pen,
  { time, details, paidIn, paidOut, balance }: ShownEntry,
  shown: ShownStatement,
): void {
  const cells = [time, details, paidIn, paidOut, balance].map((text, index) => {
    const { width } = COLUMNS[index] ?? COLUMNS[0];
    return linesOf(text, { font: pen.regular, size: SIZE, width });
  });
  const height = Math.max(...cells.map((lines) => lines.length)) * LINE + 6;
  // The last line belongs to the page's number.
  if (pen.y + height > HEIGHT - MARGIN - 2 * LINE) {
    pen.page = pen.document.addPage([WIDTH, HEIGHT]);
    pen.y = MARGIN;
    writeTableHead(pen, shown);
  }
  writeCells(pen, cells, pen.regular);
  drawRule(pen, 0.4);
}

/** One row of the table, as high as its highest cell. */
function writeCells(pen: Pen, cells: readonly (readonly string[])[], font: PDFFont): void {
  const top = pen.y;
  let bottom = top;
  for (const [index, lines] of cells.entries()) {
    const column = COLUMNS[index] ?? COLUMNS[0];
    pen.y = top;
    for (const line of lines) {
      writeLine(pen, line, { ...column, font, size: SIZE });
      pen.y += LINE;
    }
    bottom = Math.max(bottom, pen.y);
  }
  pen.y = bottom;
}

function drawRule(pen: Pen, thickness: number): void {
  const y = HEIGHT - pen.y - 2;
  pen.page.drawLine({ start: { x: MARGIN, y }, end: { x: WIDTH - MARGIN, y }, thickness, color: grey });
  pen.y += 6;
}

function numberPages({ document, regular }: Pen, { pageNumber, title }: ShownStatement): void {
  const pages = document.getPages();
  for (const [index, page] of pages.entries()) {
    const text = drawable(`${title} - ${pageNumber(index + 1, pages.length)}`, regular);
    const x = WIDTH - MARGIN - regular.widthOfTextAtSize(text, SIZE);
    page.drawText(text, { x, y: MARGIN - SIZE, font: regular, size: SIZE, color: grey });
  }
}
