import { stringify } from 'csv-stringify/sync';

export type CsvCell = string | number | boolean | null;

/** The columns of a table in their order: the name in the header row, and how a row fills the cell. */
export type CsvColumns<Row> = Readonly<Record<string, (row: Row) => CsvCell>>;

/**
 * A table as CSV (RFC 4180): a header row, CRLF, quotes where they are needed. Null is an empty cell. No cell can be
 * taken for a formula by a spreadsheet.
 */
export function csvText<Row>(columns: CsvColumns<Row>, rows: readonly Row[]): string {
  const cells = Object.values(columns);
  const table = rows.map((row) => cells.map((cellOf) => textOf(cellOf(row))));
  return stringify([Object.keys(columns), ...table], {
    record_delimiter: 'windows',
    // Where the list separator is a semicolon or a tab, an unquoted one would begin a cell that nobody has guarded.
    quoted_match: /[;\t\r\n]/,
  });
}

function textOf(cell: CsvCell): string {
  if (typeof cell !== 'string') return cell === null ? '' : String(cell);
  return isFormula(cell) ? `'${cell}` : cell;
}

/** Spreadsheets take what begins so for a formula, also after spaces; a number is only a number. */
function isFormula(cell: string): boolean {
  if (/^-?\d+(\.\d+)?$/.test(cell)) return false;
  return /^\s*[=+\-@\uFF1D\uFF0B\uFF0D\uFF20\t\r\n]/.test(cell);
}
