import { buffer } from 'node:stream/consumers';
import type { Readable } from 'node:stream';
import { ZipFile } from 'yazl';

/** How a program wrote the workbook. */
export interface WorkbookStyle {
  /** Texts stand in a part of their own, as Excel and LibreOffice write them. Default: in the cells. */
  readonly isShared?: boolean;
  /** Before the names of the elements, as some writers have it: `x:`. Default: none. */
  readonly prefix?: string;
}

/**
 * A workbook with one sheet that shows the texts, written without the library that our own sheets come from. What looks like a
 * number is one, as after somebody saved it with a spreadsheet; empty texts are no cells.
 */
export async function workbookOf(
  rows: readonly (readonly string[])[],
  { isShared = false, prefix = '' }: WorkbookStyle = {},
): Promise<Buffer> {
  const strings = new Map<string, number>();
  const element = (name: string, inside: string, attributes = '') =>
    `<${prefix}${name}${attributes}>${inside}</${prefix}${name}>`;
  const cellXml = (text: string, place: number, row: number): string => {
    const at = ` r="${columnName(place)}${String(row)}"`;
    if (text === '') return '';
    if (/^-?\d+(\.\d+)?$/.test(text) && text.length < 17) return element('c', element('v', text), at);
    if (!isShared) {
      const inline = element('is', element('t', escaped(text), ' xml:space="preserve"'));
      return element('c', inline, `${at} t="inlineStr"`);
    }
    if (!strings.has(text)) strings.set(text, strings.size);
    return element('c', element('v', String(strings.get(text))), `${at} t="s"`);
  };
  const sheet = rows
    .map((cells, row) => {
      const inside = cells.map((cell, place) => cellXml(cell, place, row + 1)).join('');
      return element('row', inside, ` r="${String(row + 1)}"`);
    })
    .join('');
  const parts: Record<string, string> = {
    'xl/workbook.xml': '<workbook><workbookPr/><sheets><sheet name="1" sheetId="1"/></sheets></workbook>',
    'xl/worksheets/sheet1.xml': `<?xml version="1.0"?>${element('worksheet', element('sheetData', sheet))}`,
  };
  if (isShared) {
    const items = [...strings.keys()].map((text) => element('si', element('t', escaped(text)))).join('');
    parts['xl/sharedStrings.xml'] = element('sst', items);
  }
  return archiveOf(parts);
}

/** An archive of these parts. The same parts make the same file, whenever it is written. */
export async function archiveOf(parts: Readonly<Record<string, string>>): Promise<Buffer> {
  const zip = new ZipFile();
  const mtime = new Date(Date.UTC(2026, 0, 1));
  for (const [name, text] of Object.entries(parts)) zip.addBuffer(Buffer.from(text), name, { mtime });
  zip.end();
  return buffer(zip.outputStream as Readable);
}

/** `A` to `Z`, then `AA`. */
function columnName(place: number): string {
  const letter = String.fromCharCode(65 + (place % 26));
  return place < 26 ? letter : columnName(Math.floor(place / 26) - 1) + letter;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
