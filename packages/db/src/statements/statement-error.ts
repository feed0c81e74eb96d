import { ROW_FAULTS, faultText } from '@repo/statements';
import type { RowFault } from '@repo/statements';
import { DaftariError } from '../errors.ts';

/** Rows that are named in a message; `findings` has more of them. */
const NAMED = 5;

/** Rows of a statement that cannot be used (`invalid_rows`). It holds no value of a row. */
export class StatementRowsError extends DaftariError {
  /** The first hundred of them: where, and what is wrong there. */
  readonly findings: readonly { readonly where: string; readonly what: string }[];

  constructor(faults: readonly RowFault[], count: number) {
    const named = faults.slice(0, NAMED).map(faultText).join('; ');
    const more = count > NAMED ? `; and ${String(count - NAMED)} more` : '';
    super('invalid_rows', {
      advice: `Rows of the statement cannot be used: ${named}${more}. Nothing was imported; correct them, or import the others with skipBadRows.`,
    });
    this.findings = faults.map(({ row, column, reason }) => ({
      where: `row ${String(row)}, ${column}`,
      what: ROW_FAULTS[reason],
    }));
  }
}
