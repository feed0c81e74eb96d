import type { Buffer } from 'node:buffer';
import { statementFile } from '@repo/statements/testing/statement-file';
import type { BookEntry } from '@repo/statements/testing/statement-file';
import type { BookedRow } from './book.ts';
import type { Context } from './context.ts';

/** How the statement is exported. */
export interface StatementStyle {
  /** A: the organisation portal. B: the newer portal. C: a till's full statement. Default: A. */
  readonly form?: 'A' | 'B' | 'C';
  /** Default: csv. */
  readonly file?: 'csv' | 'xlsx' | 'xlsx-shared';
}

/** What the portal exports of everything that is in the book, newest first. */
export async function exportStatement(
  { book, organisation }: Context,
  style: StatementStyle,
): Promise<Buffer> {
  return statementFile(book.rows.map(entryOf), {
    ...style,
    shortCode: organisation.till ?? organisation.shortCode,
    opening: book.opening,
  });
}

const KINDS = {
  c2b: 'payment',
  stk: 'payment',
  charge: 'charge',
  sweep: 'sweep',
  reversal: 'reversal',
  failed: 'failed',
} as const satisfies Record<BookedRow['kind'], BookEntry['what']>;

function entryOf({ receipt, kind, cents, at, account, phone, reverses }: BookedRow): BookEntry {
  return {
    receipt,
    at: at.getTime(),
    what: KINDS[kind],
    cents,
    account,
    // The portal shows the first and the last digits.
    ...(phone === '' ? {} : { phone: `${phone.slice(0, 5)}****${phone.slice(-3)}` }),
    ...(reverses === null ? {} : { undoes: reverses }),
  };
}
