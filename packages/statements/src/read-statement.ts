import { headerOf } from './columns.ts';
import type { Header, StatementForm } from './columns.ts';
import { StatementError } from './errors.ts';
import type { RowFault } from './errors.ts';
import { isLine, isReceipt, readLine, receiptOf } from './line.ts';
import type { StatementLine } from './line.ts';
import { NO_PREAMBLE, readPreamble } from './preamble.ts';
import type { Preamble } from './preamble.ts';
import { createBalanceCheck } from './running-balance.ts';
import type { BalanceCheck } from './running-balance.ts';
import { readTable } from './table.ts';
import type { TableRow } from '@repo/xlsx/table-row';
import { timeOf } from './times.ts';

/** What is known of a statement before its lines. */
export interface StatementHead {
  readonly form: StatementForm;
  readonly preamble: Preamble;
}

/** What a statement came to. Amounts are cents; times are milliseconds since 1970. */
export interface StatementSummary extends StatementHead {
  /** Rows below the header that are meant as lines: blank rows, totals and notes are not counted. */
  readonly rows: number;
  /** The first hundred rows that cannot be used. */
  readonly faults: readonly RowFault[];
  /** How many there are. */
  readonly faultCount: number;
  /** When the first and the last line were completed; null without lines. */
  readonly first: number | null;
  readonly last: number | null;
  /** Sums of the completed lines. */
  readonly paidIn: bigint;
  readonly withdrawn: bigint;
  readonly balances: BalanceCheck;
}

/** Who takes what is read, in the order of the file; the reading waits for them. */
export interface StatementSink {
  /** Called once, before the lines. */
  readonly head: (head: StatementHead) => Promise<void> | void;
  /** Lines that can be used, a few hundred at a time. `faults`: how many rows could not, so far. */
  readonly lines: (
    lines: readonly StatementLine[],
    progress: { readonly faults: number },
  ) => Promise<void> | void;
}

/** Faults that are named. */
const NAMED = 100;

/**
 * Reads a statement from a file, CSV or XLSX, of any form. What the file is comes from its content, never from its name.
 * Rows that cannot be used are named in the answer and left out.
 *
 * @throws StatementError when it is no statement; and what the sink throws
 */
export async function readStatement(path: string, sink: StatementSink): Promise<StatementSummary> {
  const reading = createReading();
  for await (const batch of readTable(path)) {
    const lines: StatementLine[] = [];
    for (const row of batch) {
      const line = reading.take(row);
      if (line !== null) lines.push(line);
    }
    const head = reading.takeHead();
    if (head !== null) await sink.head(head);
    if (lines.length > 0) await sink.lines(lines, { faults: reading.faults });
  }
  return reading.end();
}

function createReading() {
  let header: Header | null = null;
  let preamble: Preamble = NO_PREAMBLE;
  let isHeadTaken = false;
  const tally = createTally();
  return {
    /** The line of the row; null for a row that is not a line. */
    take(row: TableRow): StatementLine | null {
      // A header in the middle: two downloads in one file, or the next sheet.
      const found = headerOf(row);
      if (found !== null) {
        header = found;
        return null;
      }
      if (header === null || isNote(row, header)) {
        preamble = readPreamble(preamble, row.cells);
        return null;
      }
      const read = readLine(row, header);
      return isLine(read) ? tally.add(read) : tally.refuse(read);
    },
    /** The head, once, as soon as it is known. */
    takeHead(): StatementHead | null {
      if (header === null || isHeadTaken) return null;
      isHeadTaken = true;
      return { form: header.form, preamble };
    },
    get faults() {
      return tally.faults;
    },
    end(): StatementSummary {
      if (header === null) throw new StatementError('no_header');
      return { form: header.form, preamble, ...tally.end(preamble) };
    },
  };
}

/** Counts and sums what was read. */
function createTally() {
  const faults: RowFault[] = [];
  const counts = { lines: 0, faults: 0, paidIn: 0n, withdrawn: 0n };
  let first: number | null = null;
  let last: number | null = null;
  const balances = createBalanceCheck();
  return {
    add(line: StatementLine): StatementLine {
      counts.lines += 1;
      first = first === null ? line.completedAt : Math.min(first, line.completedAt);
      last = last === null ? line.completedAt : Math.max(last, line.completedAt);
      balances.add(line);
      if (line.isCompleted) {
        counts.paidIn += line.paidIn;
        counts.withdrawn += line.withdrawn;
      }
      return line;
    },
    refuse(fault: RowFault): null {
      counts.faults += 1;
      if (faults.length < NAMED) faults.push(fault);
      return null;
    },
    get faults() {
      return counts.faults;
    },
    end(stated: Preamble): Omit<StatementSummary, keyof StatementHead> {
      const { lines, faults: faultCount, paidIn, withdrawn } = counts;
      const rows = lines + faultCount;
      return { rows, faults, faultCount, first, last, paidIn, withdrawn, balances: balances.end(stated) };
    },
  };
}

/** Whether a row below the header is blank, a row of totals or a remark: nothing that has a receipt or could lack one. */
function isNote({ cells }: TableRow, { places }: Header): boolean {
  const receipt = String(cells[places.get('receipt') ?? -1] ?? '').trim();
  const isDated = typeof timeOf(cells[places.get('completed') ?? -1] ?? '') === 'number';
  if (isReceiptLike(receipt) && isDated) return false;
  const filled = cells.filter((cell) => String(cell).trim() !== '');
  if (!isDated && filled.some((cell) => /^(grand |sub)?totals?\b/i.test(String(cell).trim()))) return true;
  if (isReceiptLike(receipt)) return false;
  return filled.length <= 1 || /:\s*$/.test(receipt);
}

function isReceiptLike(text: string): boolean {
  return /\d/.test(text) && isReceipt(receiptOf(text));
}
