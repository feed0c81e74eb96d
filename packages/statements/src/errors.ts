/** Every way in which a file is no statement that can be read, and what to do about it. */
const ERROR_CODES = {
  file_empty: 'The file is empty. Download it again.',
  file_unsupported:
    'The file is neither CSV nor XLSX. Download the statement as CSV or XLSX; save an old Excel workbook as XLSX.',
  file_encrypted: 'The file is protected by a password. Save it without one.',
  file_damaged: 'The file is damaged or was cut off. Download it again.',
  file_not_pdf: 'The file is no PDF. Send the statement as M-PESA made it.',
  password_needed: 'The PDF is protected by a password. Send the password with it.',
  password_wrong: 'The password does not open the PDF.',
  no_header: 'No row names the columns of a statement, such as "Receipt No." and "Completion Time".',
  column_missing: 'The statement lacks a column. Download it again, with all columns.',
  column_repeated: 'Two columns of the statement have the same name. Download it again.',
} as const;

export type StatementErrorCode = keyof typeof ERROR_CODES;

/** Where in a file something is wrong. */
interface Place {
  /** As spreadsheets count them: the first row is 1. */
  readonly row?: number | undefined;
  /** The name of the column. */
  readonly column?: string | undefined;
  readonly cause?: unknown;
}

/** A file that cannot be read as a statement. The message holds no value of a cell. */
export class StatementError extends Error {
  override readonly name = 'StatementError';
  readonly code: StatementErrorCode;
  readonly row: number | undefined;
  readonly column: string | undefined;

  constructor(code: StatementErrorCode, { row, column, cause }: Place = {}) {
    super(ERROR_CODES[code] + placeText(row, column), cause === undefined ? undefined : { cause });
    this.code = code;
    this.row = row;
    this.column = column;
  }
}

export function isStatementError(error: unknown): error is StatementError {
  return error instanceof StatementError;
}

function placeText(row: number | undefined, column: string | undefined): string {
  const parts = [
    row === undefined ? '' : `row ${String(row)}`,
    column === undefined ? '' : `column ${column}`,
  ];
  const text = parts.filter((part) => part !== '').join(', ');
  return text === '' ? '' : ` (${text})`;
}

/** What can be wrong with a row. */
export const ROW_FAULTS = {
  receipt_missing: 'has no receipt',
  receipt_invalid: 'is no receipt: 1 to 20 letters and digits',
  time_missing: 'has no time',
  time_invalid: 'is no time such as 31-12-2026 14:05:09',
  time_without_date: 'has a time without a date, and there is no initiation time to take it from',
  amount_invalid: 'is not an amount such as 1,500.00',
  amount_negative: 'is below zero',
  amounts_both: 'has an amount beside one in the other column',
  status_missing: 'has no status',
  text_too_long: 'is longer than 1,000 characters',
  currency_unknown: 'is not in KES',
} as const;

export type RowFaultReason = keyof typeof ROW_FAULTS;

/** One row that cannot be used. It holds no value of the row. */
export interface RowFault {
  /** As spreadsheets count them: the first row is 1. */
  readonly row: number;
  /** As the file names it. */
  readonly column: string;
  readonly reason: RowFaultReason;
}

/** A fault as a sentence without the full stop: `row 12, Completion Time: is no time such as ...`. */
export function faultText({ row, column, reason }: RowFault): string {
  return `row ${String(row)}, ${column}: ${ROW_FAULTS[reason]}`;
}
