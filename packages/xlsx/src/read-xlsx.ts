import type { Readable } from 'node:stream';
import { SaxesParser } from 'saxes';
import { openPromise } from 'yauzl';
import type { Entry, ZipFile } from 'yauzl';
import { SharedStrings } from './shared-strings.ts';
import { createSheetReader } from './sheet.ts';
import type { RowBatch } from './table-row.ts';
import { XlsxError } from './xlsx-error.ts';

export { XlsxError } from './xlsx-error.ts';

const SHEET = /^xl\/worksheets\/[^/]+\.xml$/i;
const STRINGS = /^xl\/sharedStrings\.xml$/i;
const WORKBOOK = /^xl\/workbook\.xml$/i;

/** What the largest sheet that Excel can hold comes to, and far below what a small archive can be made to unfold to. */
const LONGEST_PART = 4 * 1024 ** 3;

/** Days between the two calendars of workbooks. */
const DAYS_OF_1904 = 1_462;

export interface ReadOptions {
  /** Default: all, one after the other. */
  readonly sheets?: 'all' | 'first';
  /** The most bytes that one part of the workbook may unfold to. Default: 4 GiB. */
  readonly maxPartBytes?: number;
}

/**
 * The rows of the sheets of an XLSX workbook, in the order of their names. Nothing of it is held as a whole.
 *
 * @throws XlsxError
 */
export async function* xlsxRows(path: string, options: ReadOptions = {}): AsyncGenerator<RowBatch> {
  const { maxPartBytes = LONGEST_PART } = options;
  const zip = await opened(path);
  try {
    const entries = await entriesOf(zip);
    if (entries.some(({ uncompressedSize }) => uncompressedSize > maxPartBytes))
      throw new XlsxError('damaged');
    const found = entries.filter(({ fileName }) => SHEET.test(fileName)).toSorted(byName);
    if (found.length === 0) throw new XlsxError('no_sheet');
    const sheets = options.sheets === 'first' ? found.slice(0, 1) : found;
    using strings = new SharedStrings();
    const shared = entries.find(({ fileName }) => STRINGS.test(fileName));
    if (shared !== undefined) await readStrings(zip, shared, strings);
    const workbook = entries.find(({ fileName }) => WORKBOOK.test(fileName));
    const shift = workbook !== undefined && (await isOf1904(zip, workbook)) ? DAYS_OF_1904 : 0;
    for (const sheet of sheets) yield* sheetRows(zip, sheet, { strings, shift });
  } finally {
    zip.close();
  }
}

interface SheetContext {
  readonly strings: SharedStrings;
  readonly shift: number;
}

async function* sheetRows(zip: ZipFile, sheet: Entry, context: SheetContext): AsyncGenerator<RowBatch> {
  const reader = createSheetReader(context);
  for await (const chunk of texts(zip, sheet)) {
    const { rows, fault } = reader.read(chunk);
    if (rows.length > 0) yield rows;
    if (fault !== null) throw damaged(fault, reader.row);
  }
  const { rows, fault } = reader.end();
  if (rows.length > 0) yield rows;
  if (fault !== null) throw damaged(fault, reader.row);
}

async function readStrings(zip: ZipFile, entry: Entry, strings: SharedStrings): Promise<void> {
  const parser = new SaxesParser({ xmlns: false as const, position: false });
  let text = '';
  let isText = false;
  // The reading of Japanese signs, which stands beside them, is no part of the text.
  let isReading = false;
  parser.on('opentag', ({ name }) => {
    const tag = localName(name);
    if (tag === 'si') text = '';
    if (tag === 'rPh') isReading = true;
    isText = tag === 't' && !isReading;
  });
  parser.on('text', (more) => {
    if (isText) text += more;
  });
  parser.on('closetag', ({ name }) => {
    const tag = localName(name);
    if (tag === 't') isText = false;
    if (tag === 'rPh') isReading = false;
    if (tag === 'si') strings.add(text);
  });
  try {
    for await (const chunk of texts(zip, entry)) parser.write(chunk);
    parser.close();
  } catch (error) {
    throw damaged(error);
  }
}

async function isOf1904(zip: ZipFile, entry: Entry): Promise<boolean> {
  let is1904 = false;
  const parser = new SaxesParser({ xmlns: false as const, position: false });
  parser.on('opentag', ({ name, attributes }) => {
    if (localName(name) === 'workbookPr') is1904 = /^(1|true)$/.test(attributes['date1904'] ?? '');
  });
  try {
    for await (const chunk of texts(zip, entry)) parser.write(chunk);
    parser.close();
  } catch (error) {
    throw damaged(error);
  }
  return is1904;
}

/** A name without the prefix of its namespace, which some writers use. */
function localName(name: string): string {
  return name.slice(name.indexOf(':') + 1);
}

async function opened(path: string): Promise<ZipFile> {
  try {
    return await openPromise(path, { lazyEntries: true, autoClose: false });
  } catch (error) {
    throw damaged(error);
  }
}

async function entriesOf(zip: ZipFile): Promise<Entry[]> {
  const entries: Entry[] = [];
  try {
    for await (const entry of zip.eachEntry()) entries.push(entry);
  } catch (error) {
    throw damaged(error);
  }
  return entries;
}

async function* texts(zip: ZipFile, entry: Entry): AsyncGenerator<string> {
  if ((entry.generalPurposeBitFlag & 1) === 1) throw new XlsxError('encrypted');
  const decoder = new TextDecoder();
  let stream: Readable;
  try {
    stream = await zip.openReadStreamPromise(entry);
    for await (const chunk of stream as AsyncIterable<Buffer>) yield decoder.decode(chunk, { stream: true });
  } catch (error) {
    throw damaged(error);
  }
}

function damaged(cause: unknown, row?: number): XlsxError {
  return cause instanceof XlsxError ? cause : new XlsxError('damaged', { row, cause });
}

/** sheet2.xml before sheet10.xml. */
function byName(a: Entry, b: Entry): number {
  return a.fileName.length - b.fileName.length || (a.fileName < b.fileName ? -1 : 1);
}
