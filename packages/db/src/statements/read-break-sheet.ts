import { XlsxError, xlsxRows } from '@repo/xlsx/read';
import type { TableRow } from '@repo/xlsx/table-row';
import { DaftariError } from '../errors.ts';

/** The columns of a sheet of breaks that people may edit, beside `action`. */
export const SHEET_FIELDS = ['assignee', 'reason', 'comment', 'evidence'] as const;
export type SheetField = (typeof SHEET_FIELDS)[number];

/** Columns that are read to see whether a row is still what it was: a column that is missing is not looked at. */
const SHOWN = ['reference', 'status'] as const;

/** Without these nobody can say what a row is, and what is to be done about it. */
const REQUIRED = ['id', 'version', 'action'] as const;

type ColumnName = SheetField | (typeof SHOWN)[number] | (typeof REQUIRED)[number];

/** A row of a sheet of breaks: the texts of its cells, trimmed. A cell whose column is missing is undefined. */
export interface SheetRow extends Readonly<Partial<Record<ColumnName, string>>> {
  /** As spreadsheets count. */
  readonly row: number;
  readonly id: string;
  readonly version: string;
  readonly action: string;
}

/** A sheet of a thousand breaks, each with its longest texts, unfolds to less. */
const MOST_BYTES = 32 * 1024 * 1024;

/**
 * The rows of a sheet of breaks, an XLSX file as any spreadsheet saves it: the first sheet, its columns found by name. Blank
 * rows are left out.
 *
 * @throws DaftariError `invalid_sheet`
 */
export async function readBreakSheet(path: string, most: number): Promise<SheetRow[]> {
  let places: ReadonlyMap<string, number> | null = null;
  const rows: SheetRow[] = [];
  try {
    for await (const batch of xlsxRows(path, { sheets: 'first', maxPartBytes: MOST_BYTES })) {
      for (const row of batch) {
        if (row.cells.every((cell) => textOf(cell) === '')) continue;
        if (places === null) places = headerOf(row);
        else rows.push(sheetRow(row, places));
        if (rows.length > most) throw invalid(`The sheet has more than ${String(most)} rows. Divide it.`);
      }
    }
  } catch (error) {
    if (error instanceof XlsxError)
      throw invalid(`${error.message} Save it as XLSX, without a password.`, error);
    throw error;
  }
  if (places === null) throw invalid('The sheet is empty.');
  return rows;
}

function headerOf({ cells }: TableRow): ReadonlyMap<string, number> {
  const places = new Map<string, number>();
  for (const [place, cell] of cells.entries()) {
    const name = textOf(cell);
    if (name !== '' && places.has(name)) throw invalid('Two columns of the sheet have the same name.');
    places.set(name, place);
  }
  const missing = REQUIRED.filter((name) => !places.has(name));
  if (missing.length > 0) throw invalid(`The first row of the sheet names no column ${missing.join(', ')}.`);
  return places;
}

function sheetRow({ number, cells }: TableRow, places: ReadonlyMap<string, number>): SheetRow {
  const named = [...REQUIRED, ...SHOWN, ...SHEET_FIELDS].flatMap((name) => {
    const place = places.get(name);
    return place === undefined ? [] : [[name, textOf(cells[place] ?? '')] as const];
  });
  const cellsByName = { id: '', version: '', action: '', ...Object.fromEntries(named) };
  return { ...cellsByName, row: number, id: cellsByName.id.toLowerCase() };
}

/** A cell as text. Spreadsheets write what XML cannot hold, such as a carriage return, as `_x000D_`. */
function textOf(cell: string | number): string {
  return String(cell)
    .replace(/_x([0-9A-F]{4})_/gi, (_match, code: string) => String.fromCharCode(Number.parseInt(code, 16)))
    .replaceAll('\r\n', '\n')
    .replaceAll('\0', '')
    .toWellFormed()
    .trim();
}

function invalid(advice: string, cause?: unknown): DaftariError {
  return new DaftariError('invalid_sheet', { advice: `${advice} Nothing was changed.`, cause });
}
