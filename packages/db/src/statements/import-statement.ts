import { isStatementError, readStatement } from '@repo/statements';
import type { StatementHead, StatementLine, StatementSummary } from '@repo/statements';
import type { Db } from '../connection/db.ts';
import { query } from '../connection/handle.ts';
import type { Handle, Value } from '../connection/handle.ts';
import { longTransaction } from '../connection/long-transaction.ts';
import { DaftariError } from '../errors.ts';
import { requireText } from '../request.ts';
import { digestOf } from './file-digest.ts';
import type { ImportedStatement } from './imported-statement.ts';
import { StatementRowsError } from './statement-error.ts';
import {
  ADD_LINES,
  BEGIN,
  FIND_STATEMENT,
  FINISH,
  finishValues,
  lineValues,
  statementOf,
} from './statement-rows.ts';
import type { StatementRow } from './statement-rows.ts';

export interface StatementImport {
  /** The paybill or till that it is of; required for files that do not say. */
  readonly shortCode?: string;
  /** Import all but the rows that cannot be used, instead of nothing. Default: false. */
  readonly skipBadRows?: boolean;
  /** Who imports it. Default: the database role. */
  readonly importedBy?: string;
  /** Called with the rows that were read so far. */
  readonly onProgress?: (rows: number) => void;
}

/** Rows that go to the database together. */
const BATCH = 500;

/** A million rows take a minute or two; more would be refused at the door of a service. */
const TIMEOUT_MS = 30 * 60_000;

/**
 * Imports a statement of M-PESA from a file, CSV or XLSX, of any form, as one database transaction. A line that another
 * file has shown is not added again, and a file that was imported before changes nothing.
 *
 * @throws DaftariError `invalid_statement`, `invalid_rows` (a StatementRowsError, unless `skipBadRows`),
 * `short_code_needed`, `short_code_differs`, `invalid_request`; nothing is imported then
 */
export async function importStatement(
  db: Db,
  path: string,
  request: StatementImport = {},
): Promise<ImportedStatement> {
  const { shortCode, importedBy } = request;
  if (shortCode !== undefined && !/^\d{3,10}$/.test(shortCode)) {
    throw new DaftariError('invalid_request', { field: 'shortCode' });
  }
  if (importedBy !== undefined) requireText('importedBy', importedBy, 100);
  const sha256 = await digestOf(path);
  try {
    return await longTransaction(db, (handle) => importInto(handle, { ...request, path, sha256 }), {
      timeoutMs: TIMEOUT_MS,
    });
  } catch (error) {
    if (!isStatementError(error)) throw error;
    const advice = `${error.message} Nothing was imported.`;
    throw new DaftariError('invalid_statement', { advice, cause: new Error(error.code) });
  }
}

interface Work extends StatementImport {
  readonly path: string;
  readonly sha256: string;
}

async function importInto(db: Handle, work: Work): Promise<ImportedStatement> {
  const writer = createWriter(db, work);
  let summary: StatementSummary;
  try {
    summary = await readStatement(work.path, {
      head: (head) => writer.begin(head),
      lines: (lines, progress) => writer.add(lines, progress),
    });
  } catch (error) {
    if (error instanceof KnownStatement) return readBack(db, error.id, true);
    throw error;
  }
  if (summary.faultCount > 0 && work.skipBadRows !== true) {
    throw new StatementRowsError(summary.faults, summary.faultCount);
  }
  const id = await writer.end(summary);
  return readBack(db, id, false);
}

/** Ends the reading of a file that was imported before. */
class KnownStatement extends Error {
  readonly id: string;

  constructor(id: string) {
    super('the statement is known');
    this.id = id;
  }
}

function createWriter(db: Handle, work: Work) {
  let statement: { readonly id: string; readonly accountKey: string } | null = null;
  let waiting: StatementLine[] = [];
  let added = 0;
  let read = 0;
  // One batch is written while the next one is read.
  let writing: Promise<void> = Promise.resolve();

  async function flush(): Promise<void> {
    await writing;
    if (waiting.length === 0 || statement === null) return;
    writing = write(lineValues(statement, waiting));
    // The next flush, or the end, waits for it and throws what failed.
    writing.catch(() => undefined);
    waiting = [];
  }

  async function write(values: Value[]): Promise<void> {
    const [row] = await query<{ added: number }>(db, ADD_LINES, values);
    added += row?.added ?? 0;
  }

  return {
    async begin({ form, preamble }: StatementHead): Promise<void> {
      const shortCode = shortCodeOf(work.shortCode, preamble.shortCode);
      const values = [work.sha256, shortCode, form, preamble.account, work.importedBy ?? null];
      const [row] = await query<{ id: string; is_known: boolean }>(db, BEGIN, values);
      if (row === undefined) throw new DaftariError('database_error');
      if (row.is_known) throw new KnownStatement(row.id);
      statement = { id: row.id, accountKey: accountKeyOf(preamble.account) };
    },
    async add(lines: readonly StatementLine[], { faults }: { readonly faults: number }): Promise<void> {
      read += lines.length;
      work.onProgress?.(read);
      // What will be rolled back need not be written: the rest is read for its faults.
      if (faults > 0 && work.skipBadRows !== true) return;
      waiting.push(...lines);
      if (waiting.length >= BATCH) await flush();
    },
    async end(summary: StatementSummary): Promise<string> {
      await flush();
      await writing;
      if (statement === null) throw new DaftariError('database_error');
      await query(db, FINISH, finishValues(statement.id, summary, added));
      return statement.id;
    },
  };
}

function shortCodeOf(asked: string | undefined, stated: string | null): string {
  const shortCode = asked ?? stated;
  if (shortCode === null) throw new DaftariError('short_code_needed');
  if (stated !== null && stated !== shortCode) throw new DaftariError('short_code_differs');
  return shortCode;
}

/** Customers pay into the utility account of a paybill, or the merchant account of a till; files may leave it unsaid. */
function accountKeyOf(account: string | null): string {
  const name = (account ?? '').trim().toLowerCase();
  return /^(utility|merchant)?( account)?$/.test(name) ? '' : name;
}

async function readBack(db: Handle, id: string, isRepeat: boolean): Promise<ImportedStatement> {
  const [row] = await query<StatementRow>(db, FIND_STATEMENT, [id]);
  if (row === undefined) throw new DaftariError('database_error');
  return { ...statementOf(row), isRepeat };
}
