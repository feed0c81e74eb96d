import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { pipeline } from 'node:stream';
import { CsvError, parse } from 'csv-parse';
import { StatementError } from './errors.ts';
import type { RowBatch, TableRow } from '@repo/xlsx/table-row';

/** Rows that are handed on together. */
const BATCH = 1_000;

/** A quote that is never closed must not swallow the rest of a large file into the memory. */
const LONGEST_ROW = 256 * 1024;

/** What comes before the row that names the columns lies within so many bytes. */
const BEGINNING = 65_536;

/** How the file is written. */
interface Writing {
  readonly encoding: 'utf8' | 'utf16le';
  readonly separator: string;
  /** Where the row begins that names the columns; 0 when there is none. */
  readonly header: number;
}

/** The rows of a CSV file: any of the three separators, any line ends, UTF-8 or UTF-16. */
export async function* csvRows(path: string): AsyncGenerator<RowBatch> {
  const writing = await writingOf(path);
  let before = 0;
  // The parser builds an error for each row that is not as long as its first one, and drops it. So the preamble, whose
  // rows have other lengths, is read by itself: that makes a million rows a third faster.
  const parts: readonly (readonly [start: number, end: number])[] =
    writing.header === 0
      ? [[0, Infinity]]
      : [
          [0, writing.header - 1],
          [writing.header, Infinity],
        ];
  for (const [start, end] of parts) {
    for await (const batch of partRows(path, writing, { start, end, before })) {
      before = batch.at(-1)?.number ?? before;
      yield batch;
    }
  }
}

interface Part {
  /** The first byte and the last. */
  readonly start: number;
  readonly end: number;
  /** Rows before it. */
  readonly before: number;
}

async function* partRows(path: string, writing: Writing, part: Part): AsyncGenerator<RowBatch> {
  const { start, end, before } = part;
  const parser = parse({
    bom: start === 0,
    encoding: writing.encoding,
    delimiter: writing.separator,
    record_delimiter: ['\r\n', '\n', '\r'],
    relax_column_count: true,
    relax_quotes: true,
    max_record_size: LONGEST_ROW,
  });
  pipeline(createReadStream(path, { highWaterMark: 256 * 1024, start, end }), parser, () => undefined);
  let number = before;
  let batch: TableRow[] = [];
  try {
    for await (const cells of parser as AsyncIterable<string[]>) {
      number += 1;
      batch.push({ number, cells });
      if (batch.length < BATCH) continue;
      yield batch;
      batch = [];
    }
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    yield batch;
    throw new StatementError('file_damaged', { row: number + 1, cause: new Error(error.code) });
  } finally {
    parser.destroy();
  }
  yield batch;
}

async function writingOf(path: string): Promise<Writing> {
  await using file = await open(path);
  const { buffer, bytesRead } = await file.read(Buffer.alloc(BEGINNING), 0, BEGINNING, 0);
  const isWide = buffer[0] === 0xff && buffer[1] === 0xfe;
  // One character a byte, so that a place in the text is a place in the file.
  const text = buffer.subarray(0, bytesRead).toString(isWide ? 'utf16le' : 'latin1');
  const header = /^.*receipt\s*n.*$/im.exec(text);
  const count = (separator: string): number => (header?.[0] ?? '').split(separator).length;
  return {
    encoding: isWide ? 'utf16le' : 'utf8',
    separator: [',', ';', '\t'].reduce((best, each) => (count(each) > count(best) ? each : best)),
    header: (header?.index ?? 0) * (isWide ? 2 : 1),
  };
}
