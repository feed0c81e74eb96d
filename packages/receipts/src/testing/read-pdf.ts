import { getDocumentProxy, getResolvedPDFJS } from 'unpdf';
import type { Rectangle } from './decode-code.ts';

interface PdfText extends Rectangle {
  readonly text: string;
}

/** What a PDF reader finds in a file; distances in points from the upper left corner of the first page. */
export interface ReadPdf {
  readonly pages: number;
  readonly width: number;
  readonly height: number;
  readonly texts: readonly PdfText[];
  readonly links: readonly string[];
  readonly keywords: unknown;
}

/** Numbers that follow each path operator of pdf.js: move, line, curve, quadratic curve, close. */
const OPERANDS = [2, 2, 6, 4, 0];

/** Reads a PDF with an implementation that shares nothing with the one that wrote it. */
export async function readPdf(file: Uint8Array): Promise<ReadPdf> {
  const document = await getDocumentProxy(new Uint8Array(file));
  const page = await document.getPage(1);
  const [, , width = 0, height = 0] = page.view;
  const { items } = await page.getTextContent();
  const annotations = (await page.getAnnotations()) as { url?: string }[];
  const { info } = (await document.getMetadata()) as { info: { Keywords?: unknown } };
  const texts = items.flatMap((item) => {
    if (!('str' in item) || item.str.trim() === '') return [];
    const [, , , , x = 0, baseline = 0] = item.transform as number[];
    return [
      { text: item.str, x, y: height - baseline - item.height, width: item.width, height: item.height },
    ];
  });
  const links = annotations.flatMap(({ url }) => url ?? []);
  return { pages: document.numPages, width, height, texts, links, keywords: info.Keywords };
}

/** All its text, without any white space: lines may break anywhere. */
export function compactText({ texts }: Pick<ReadPdf, 'texts'>): string {
  return compact(texts.map(({ text }) => text).join(''));
}

export function compact(text: string): string {
  return text.replaceAll(/\s+/g, '');
}

/**
 * The rectangles that are filled on the first page, from its upper left corner: the modules of the code. Of files of
 * ours only, as a browser's use transformations, which are not followed here.
 */
export async function filledRectangles(file: Uint8Array): Promise<Rectangle[]> {
  const document = await getDocumentProxy(new Uint8Array(file));
  const page = await document.getPage(1);
  const [, , , pageHeight = 0] = page.view;
  const { OPS } = await getResolvedPDFJS();
  const { fnArray, argsArray } = await page.getOperatorList();
  if (fnArray.includes(OPS.transform)) throw new Error('this reader of paths knows no transformations');
  return argsArray.flatMap((args: unknown, index) => {
    if (fnArray[index] !== OPS.constructPath) return [];
    const [paint, [path]] = args as [number, [ArrayLike<number>]];
    return paint === OPS.fill ? subpaths(Array.from(path)).map((points) => boxOf(points, pageHeight)) : [];
  });
}

type Point = readonly [number, number];

function subpaths(path: readonly number[]): Point[][] {
  const found: Point[][] = [];
  let at = 0;
  while (at < path.length) {
    const operator = path[at] ?? 0;
    if (operator === 0) found.push([]);
    const count = OPERANDS[operator] ?? 0;
    if (count === 2) found.at(-1)?.push([path[at + 1] ?? 0, path[at + 2] ?? 0]);
    at += 1 + count;
  }
  return found;
}

function boxOf(points: readonly Point[], pageHeight: number): Rectangle {
  const xs = points.map(([x]) => x);
  const ys = points.map(([, y]) => y);
  const [left, top] = [Math.min(...xs), Math.max(...ys)];
  return { x: left, y: pageHeight - top, width: Math.max(...xs) - left, height: top - Math.min(...ys) };
}
