import { statementFile } from '@repo/statements/testing/statement-file';
import type { BookEntry, FileStyle } from '@repo/statements/testing/statement-file';
import { temporaryFile } from '@repo/testing/temporary-file';
import type { Db } from '../connection/db.ts';
import { importStatement } from '../statements/import-statement.ts';
import type { StatementImport } from '../statements/import-statement.ts';
import type { ImportedStatement } from '../statements/imported-statement.ts';
import { reconcile } from '../statements/reconcile.ts';
import type { Reconciliation } from '../statements/reconcile.ts';

let count = 0;

/** A short code that no other test of this process has, so that tests share a database and no line. */
export function newShortCode(): string {
  count += 1;
  return String(400_000 + count);
}

/** The day of the books that tests make up. */
export const BOOK_DAY = { from: new Date('2026-02-28T21:00:00Z'), to: new Date('2026-03-01T21:00:00Z') };

/** Noon of that day in East Africa, and minutes after it. */
export function noonPlus(minutes: number): number {
  return Date.UTC(2026, 2, 1, 9) + minutes * 60_000;
}

/** Imports a file that shows the entries. */
export async function importBook(
  db: Db,
  book: readonly BookEntry[],
  style: FileStyle & { readonly shortCode: string },
): Promise<ImportedStatement> {
  return importBytes(db, await statementFile(book, style), { shortCode: style.shortCode });
}

export async function importBytes(
  db: Db,
  bytes: Uint8Array | string,
  request: StatementImport = {},
): Promise<ImportedStatement> {
  await using file = await temporaryFile(bytes);
  return await importStatement(db, file.path, request);
}

/** Reconciles the day of the books. */
export async function reconcileDay(db: Db, shortCode: string, heal = false): Promise<Reconciliation> {
  return reconcile(db, { shortCode, ...BOOK_DAY, heal });
}

/** How many lines or movements are in which state; states without any are left out. */
export function countsOf({ report }: Reconciliation): Record<string, number> {
  return Object.fromEntries(
    Object.entries(report.totals)
      .map(([state, { lines }]) => [state, lines] as const)
      .filter(([, lines]) => lines > 0),
  );
}
