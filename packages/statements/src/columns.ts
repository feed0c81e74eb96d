import { StatementError } from './errors.ts';
import type { Cell, TableRow } from '@repo/xlsx/table-row';

/** The columns that statements have, by what their names come to without spaces, signs and what is in brackets. */
const COLUMNS = {
  receiptno: 'receipt',
  receiptnumber: 'receipt',
  completiontime: 'completed',
  initiationtime: 'initiated',
  details: 'details',
  transactionstatus: 'status',
  paidin: 'paidIn',
  withdrawn: 'withdrawn',
  balance: 'balance',
  reasontype: 'reason',
  transactiontype: 'reason',
  otherpartyinfo: 'party',
  otherparty: 'party',
  linkedtransactionid: 'linked',
  acno: 'account',
  currency: 'currency',
} as const;

export type ColumnKey = (typeof COLUMNS)[keyof typeof COLUMNS];

/** The columns that no statement can do without. */
const REQUIRED = [
  ['receipt', 'Receipt No.'],
  ['completed', 'Completion Time'],
  ['details', 'Details'],
  ['paidIn', 'Paid In'],
  ['withdrawn', 'Withdrawn'],
] as const;

/**
 * A: the organisation portal's export, with a preamble and fourteen columns. B: the newer portal's, where everything
 * about the payer is in the details. C: a till's full statement.
 */
export type StatementForm = 'A' | 'B' | 'C';

/** Where each column of a statement is, and what the file calls it. */
export interface Header {
  readonly form: StatementForm;
  readonly places: ReadonlyMap<ColumnKey, number>;
  readonly names: ReadonlyMap<ColumnKey, string>;
}

/** The name of a column or of a fact in the preamble without what differs between exports. */
export function plainName(cell: Cell): string {
  return String(cell)
    .replace(/\(.*?\)/g, '')
    .replace(/[^A-Za-z]/g, '')
    .toLowerCase();
}

/**
 * The header that a row is; null for any other row.
 *
 * @throws StatementError when it is one that lacks a column or has one twice
 */
export function headerOf({ number: row, cells }: TableRow): Header | null {
  // Nearly every row is a line, and this is asked of every row.
  if (!cells.some(namesReceipts)) return null;
  const places = new Map<ColumnKey, number>();
  const names = new Map<ColumnKey, string>();
  const keys = new Set<string>();
  let repeated: string | null = null;
  for (const [place, cell] of cells.entries()) {
    const name = plainName(cell);
    if (!isColumnName(name)) continue;
    const key = COLUMNS[name];
    if (places.has(key)) repeated ??= String(cell).trim();
    else places.set(key, place);
    names.set(key, String(cell).trim());
    keys.add(name);
  }
  if (!places.has('receipt') || places.size < 3) return null;
  if (repeated !== null) throw new StatementError('column_repeated', { row, column: repeated });
  for (const [key, column] of REQUIRED) {
    if (!places.has(key)) throw new StatementError('column_missing', { row, column });
  }
  return { form: formOf(keys), places, names };
}

function namesReceipts(cell: Cell): boolean {
  return typeof cell === 'string' && cell.length < 40 && /receipt\s*n/i.test(cell);
}

function isColumnName(name: string): name is keyof typeof COLUMNS {
  return Object.hasOwn(COLUMNS, name);
}

function formOf(names: ReadonlySet<string>): StatementForm {
  const has = (...some: readonly string[]): boolean => some.some((name) => names.has(name));
  if (has('reasontype', 'initiationtime', 'otherpartyinfo', 'linkedtransactionid', 'acno')) return 'A';
  return has('transactiontype', 'otherparty') ? 'C' : 'B';
}
