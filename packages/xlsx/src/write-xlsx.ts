import type { CellValue, ColumnDef } from 'hucre/xlsx';

/** How a row fills a column of a sheet. Without a kind its cells are texts, also when they look like something else. */
export interface XlsxColumn<Row> {
  readonly cell: (row: Row) => string | null;
  /** `amount`: decimal strings become numbers that can be added up. `count`: whole numbers. Default: text. */
  readonly kind?: 'text' | 'amount' | 'count';
  /** In characters. Default: 14. */
  readonly width?: number;
  /** Offered in a list; other texts are refused by the spreadsheet. */
  readonly choices?: readonly string[];
}

export interface XlsxTable<Row> {
  /** Of the sheet. */
  readonly name: string;
  /** In their order; the names are the header row. */
  readonly columns: Readonly<Record<string, XlsxColumn<Row>>>;
  readonly rows: readonly Row[];
}

/** Digits that a spreadsheet's number keeps. */
const MOST_DIGITS = 15;

const FORMATS = { text: '@', amount: '#,##0.00', count: '0' } as const;

/**
 * A table as an XLSX workbook with one sheet, whose header row stays in view. No cell is a formula, whatever it begins with,
 * and none becomes one when a person edits it: the cells of texts have the format of texts.
 */
export async function xlsxFile<Row>({ name, columns, rows }: XlsxTable<Row>): Promise<Buffer> {
  // Loaded when somebody asks for a sheet: no service needs it to start.
  const { colToLetter, writeXlsx } = await import('hucre/xlsx');
  const named = Object.entries(columns);
  const defs = named.map(([, { kind = 'text', width = 14 }]): ColumnDef => ({
    width,
    style: { numFmt: FORMATS[kind] },
  }));
  const cells = rows.map((row) => named.map(([, column]) => cellOf(column, row)));
  const bytes = await writeXlsx({
    sheets: [
      {
        name,
        columns: defs,
        rows: [named.map(([title]) => title), ...cells],
        freezePane: { rows: 1 },
        dataValidations: named.flatMap(([, { choices }], place) => {
          const letter = colToLetter(place);
          const range = `${letter}2:${letter}${String(rows.length + 1)}`;
          return choices === undefined || rows.length === 0
            ? []
            : [{ type: 'list', values: [...choices], range, allowBlank: true, showErrorMessage: true }];
        }),
      },
    ],
  });
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function cellOf<Row>({ cell, kind = 'text' }: XlsxColumn<Row>, row: Row): CellValue {
  const text = cell(row);
  if (text === null || kind === 'text') return text;
  const isExact = /^-?\d+(\.\d+)?$/.test(text) && text.replace(/\D/g, '').length <= MOST_DIGITS;
  return isExact ? Number(text) : text;
}
