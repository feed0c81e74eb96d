import { open } from 'node:fs/promises';
import { XlsxError, xlsxRows } from '@repo/xlsx/read';
import type { RowBatch } from '@repo/xlsx/table-row';
import { csvRows } from './csv-table.ts';
import { StatementError } from './errors.ts';

/**
 * The rows of a CSV or XLSX file, whichever its bytes are. The file is read as a stream; of a workbook all sheets, one
 * after the other.
 *
 * @throws StatementError
 */
export async function* readTable(path: string): AsyncGenerator<RowBatch> {
  if (!(await isWorkbook(path))) {
    yield* csvRows(path);
    return;
  }
  try {
    yield* xlsxRows(path);
  } catch (error) {
    if (!(error instanceof XlsxError)) throw error;
    throw new StatementError(OF_WORKBOOKS[error.code], { row: error.row, cause: error.cause });
  }
}

const OF_WORKBOOKS = {
  damaged: 'file_damaged',
  encrypted: 'file_encrypted',
  no_sheet: 'file_unsupported',
} as const;

/** What files of other kinds begin with: PDF, HTML or XML, PNG, gzip and RTF. */
const OTHERS = ['%PDF', '<', '\u0089PNG', '\u001F\u008B', '{\\rtf'];

/** What an archive begins with, also an empty one. */
const ARCHIVES = ['PK\u0003\u0004', 'PK\u0005\u0006'];

/** An Excel workbook before XLSX, and an XLSX with a password, are such containers. */
const OLD_CONTAINER = 'D0CF11E0A1B11AE1';

async function isWorkbook(path: string): Promise<boolean> {
  const start = await beginning(path);
  if (start.length === 0) throw new StatementError('file_empty');
  if (start.subarray(0, 8).toString('hex').toUpperCase() === OLD_CONTAINER) {
    throw new StatementError('file_unsupported');
  }
  const text = start.toString('latin1');
  if (ARCHIVES.some((archive) => text.startsWith(archive))) return true;
  if (OTHERS.some((other) => text.trimStart().startsWith(other)))
    throw new StatementError('file_unsupported');
  return false;
}

async function beginning(path: string): Promise<Buffer> {
  await using file = await open(path);
  const { buffer, bytesRead } = await file.read(Buffer.alloc(512), 0, 512, 0);
  return buffer.subarray(0, bytesRead);
}
