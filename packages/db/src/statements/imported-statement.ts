import type { StatementForm } from '@repo/statements';

/** A statement that was imported. Amounts are decimal strings of KES. */
export interface ImportedStatement {
  readonly id: string;
  readonly form: StatementForm;
  readonly shortCode: string;
  /** As the file names it; null when it does not. */
  readonly account: string | null;
  /** The first and the last moment that it covers; null for a file without lines that does not say. */
  readonly from: Date | null;
  readonly to: Date | null;
  /** Rows that are meant as lines; each is a new line, one that was there, or skipped. */
  readonly rows: number;
  /** Lines that no file had shown before. */
  readonly lines: number;
  readonly duplicateLines: number;
  /** Rows that could not be used. */
  readonly skipped: number;
  /** The first hundred of them: `row 12, Completion Time: is no time ...`. */
  readonly skippedRows: readonly string[];
  /** As the file states them. */
  readonly openingBalance?: string;
  readonly closingBalance?: string;
  /** Of the file, lower-case hex. */
  readonly sha256: string;
  /** Whether this file was imported before; then nothing has changed. */
  readonly isRepeat: boolean;
}
