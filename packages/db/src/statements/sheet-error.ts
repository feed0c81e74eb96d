import { DaftariError } from '../errors.ts';
import type { RowFault } from './sheet-rows.ts';

/** Rows that are named in a message; `findings` has all of them. */
const NAMED = 5;

/**
 * Rows of a sheet that cannot be applied (`sheet_refused`): nothing of the sheet was. The findings name who changed a break
 * in the meantime, the message names no person.
 */
export class SheetError extends DaftariError {
  /** Where, and what is wrong there. */
  readonly findings: readonly { readonly where: string; readonly what: string }[];

  constructor(faults: readonly RowFault[]) {
    const findings = faults.map(({ row, column, what }) => ({
      where: column === null ? `row ${String(row)}` : `row ${String(row)}, ${column}`,
      what,
    }));
    const named = findings.slice(0, NAMED).map(({ where }) => where);
    const more = findings.length > NAMED ? ` and ${String(findings.length - NAMED)} more` : '';
    super('sheet_refused', {
      advice: `Rows of the sheet cannot be applied: ${named.join('; ')}${more}. Nothing was changed. Take a new sheet, or skip these rows.`,
    });
    this.findings = findings;
  }
}
