/** A cell: text, or the number of a spreadsheet's numeric cell. Missing and empty cells are empty text. */
export type Cell = string | number;

/** A row of a table. */
export interface TableRow {
  /** As spreadsheets count them: the first row is 1. */
  readonly number: number;
  readonly cells: readonly Cell[];
}

/** Rows that were read together, in the order of the file. */
export type RowBatch = readonly TableRow[];
