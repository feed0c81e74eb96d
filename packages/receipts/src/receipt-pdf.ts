import {
  PDFDocument,
  PDFHexString,
  StandardFonts,
  fill,
  popGraphicsState,
  pushGraphicsState,
  rectangle,
  rgb,
  setFillingColor,
} from '@pdfme/pdf-lib';
import type { PDFPage, RGB } from '@pdfme/pdf-lib';
import { layOut, moduleSide, PAPER_SHAPES } from './pdf-layout.ts';
import type { Fonts, Layout, Mark } from './pdf-layout.ts';
import { present } from './presentation.ts';
import { QUIET_ZONE, qrCode } from './qr-code.ts';
import type { RenderOptions } from './receipt-html.ts';
import type { Receipt } from './signed-receipt.ts';
import { typedUrl, verifyUrlIn } from './verify-url.ts';
import { WORDINGS } from './wording.ts';

const black = rgb(0, 0, 0);
const grey = rgb(0.27, 0.27, 0.27);

/**
 * The receipt as a PDF of one page: A4, or a till roll as long as its content. The signed receipt is in the
 * document's keywords, so that the file can be checked offline. The same receipt and options give the same bytes: the
 * document's dates are the transaction's.
 */
export async function receiptPdf(
  receipt: Receipt,
  { paper = 'a4', language = 'en' }: RenderOptions = {},
): Promise<Uint8Array> {
  const words = WORDINGS[language];
  const shown = present(receipt.facts, words);
  const document = await PDFDocument.create({ updateMetadata: false });
  describe(document, { receipt, language, title: `${words.receipt}: ${shown.type}, ${shown.amount}` });
  const fonts: Fonts = {
    regular: await document.embedFont(StandardFonts.Helvetica),
    bold: await document.embedFont(StandardFonts.HelveticaBold),
    mono: await document.embedFont(StandardFonts.CourierBold),
  };
  const shape = PAPER_SHAPES[paper];
  const url = shown.isFirstVersion ? receipt.verifyUrl : verifyUrlIn(receipt.verifyUrl, language);
  const layout = layOut({ shown, words, address: typedUrl(receipt.verifyUrl) }, { fonts, shape });
  const page = document.addPage([shape.width, layout.height]);
  // Heat printers know no grey.
  draw(page, layout, { url, soft: paper === 'roll' ? black : grey });
  return document.save({ useObjectStreams: true, addDefaultPage: false, updateFieldAppearances: false });
}

function describe(
  document: PDFDocument,
  { receipt, language, title }: { receipt: Receipt; language: string; title: string },
): void {
  const createdAt = new Date(receipt.facts.createdAt);
  document.setTitle(title, { showInWindowTitleBar: true });
  document.setLanguage(language);
  document.setCreator('Daftari');
  document.setProducer('Daftari');
  document.setKeywords([receipt.jws]);
  document.setCreationDate(createdAt);
  document.setModificationDate(createdAt);
}

function draw(page: PDFPage, { marks, height }: Layout, { url, soft }: { url: string; soft: RGB }): void {
  for (const mark of marks) {
    if (mark.kind === 'code') drawCode(page, { ...mark, y: height - mark.y }, url);
    else drawMark(page, { ...mark, y: height - mark.y }, soft);
  }
}

function drawMark(page: PDFPage, mark: Exclude<Mark, { kind: 'code' }>, soft: RGB): void {
  if (mark.kind === 'text') {
    const { x, y, text, font, size } = mark;
    page.drawText(text, { x, y, font, size, color: mark.soft ? soft : black });
    return;
  }
  const { x, y, width } = mark;
  page.drawLine({ start: { x, y }, end: { x: x + width, y }, thickness: 0.5, color: soft });
}

/** Draws the code's modules as vectors, and makes it a link for those who read the receipt on a screen. */
function drawCode(page: PDFPage, { x, y, side }: { x: number; y: number; side: number }, url: string): void {
  const { size, runs } = qrCode(url);
  const unit = moduleSide(side, size);
  // A PDF counts upwards, a code's rows downwards.
  const rectangles = runs.map((run) =>
    rectangle(x + (QUIET_ZONE + run.x) * unit, y - (QUIET_ZONE + run.y + 1) * unit, run.length * unit, unit),
  );
  page.pushOperators(pushGraphicsState(), setFillingColor(black), ...rectangles, fill(), popGraphicsState());
  const { context } = page.doc;
  const link = context.obj({
    Type: 'Annot',
    Subtype: 'Link',
    Rect: [x, y - side, x + side, y],
    Border: [0, 0, 0],
    // Hexadecimal, as a bracket in a literal string would end it.
    A: { Type: 'Action', S: 'URI', URI: PDFHexString.of(Buffer.from(url, 'latin1').toString('hex')) },
  });
  page.node.addAnnot(context.register(link));
}
