import { centsOf } from '../amounts.ts';
import { StatementError } from '../errors.ts';
import { isReceipt, receiptOf } from '../line.ts';
import { timeOf } from '../times.ts';
import { columnOf, columnsOf } from './payer-columns.ts';
import type { PayerColumn, PayerColumns } from './payer-columns.ts';
import type { PlacedText } from './placed-text.ts';

/** One line of a payer's own statement. Amounts are cents of KES; times are milliseconds since 1970. */
export interface PayerLine {
  readonly receipt: string;
  readonly completedAt: number | null;
  readonly isCompleted: boolean;
  /** payment: money that left the payer. charge: M-PESA's fee. in: money that came to them, or none. */
  readonly kind: 'payment' | 'charge' | 'in';
  /** What left the payer, or came; 0 or more. */
  readonly cents: bigint;
  /** The paybill or till that was paid, where the words name one. They are not handed on: they name people. */
  readonly payee: string | null;
}

/**
 * The lines of a payer's statement. A line begins with its receipt; its other cells may have several lines, that begin beside it
 * or stand around it.
 *
 * @throws StatementError when nothing names the columns
 */
export function payerLines(texts: readonly PlacedText[]): PayerLine[] {
  const pages = Map.groupBy(texts, ({ page }) => page);
  let columns: PayerColumns | null = null;
  const lines: PayerLine[] = [];
  for (const own of pages.values()) {
    const named = columnsOf(own);
    if (named !== null) columns = named;
    // A page that goes on with the table may name no columns.
    else if (columns !== null) columns = { y: -Infinity, places: columns.places };
    if (columns !== null) lines.push(...linesOfPage(own, columns));
  }
  if (columns === null) throw new StatementError('no_header');
  return lines;
}

interface PlacedCell extends PlacedText {
  readonly column: PayerColumn;
}

function linesOfPage(texts: readonly PlacedText[], columns: PayerColumns): PayerLine[] {
  const cells = texts
    .filter(({ y, height }) => y > columns.y + height / 4)
    .flatMap((text): PlacedCell[] => {
      const column = columnOf(text, columns);
      return column === null ? [] : [{ ...text, column }];
    })
    .toSorted((a, b) => a.y - b.y || a.left - b.left);
  const anchors = cells.filter(({ column, text }) => column === 'receipt' && isMpesaReceipt(text));
  const [first] = anchors;
  if (first === undefined) return [];
  // Where something of the first line stands above its receipt, cells are centred, and belong to the nearest receipt.
  const isCentred = cells.some(({ y, height }) => y < first.y - height / 2);
  const rows = anchors.map((anchor): PlacedCell[] => [anchor]);
  for (const cell of cells) {
    if (anchors.includes(cell)) continue;
    rows[isCentred ? nearest(anchors, cell) : lastAbove(anchors, cell)]?.push(cell);
  }
  return rows.map(lineOf);
}

function nearest(anchors: readonly PlacedText[], { y }: PlacedText): number {
  const distances = anchors.map((anchor) => Math.abs(anchor.y - y));
  return distances.indexOf(Math.min(...distances));
}

function lastAbove(anchors: readonly PlacedText[], { y, height }: PlacedText): number {
  return anchors.findLastIndex((anchor) => anchor.y <= y + height / 2);
}

function lineOf([anchor, ...cells]: readonly PlacedCell[]): PayerLine {
  const receipt = receiptOf(anchor?.text ?? '');
  const words = (column: PayerColumn) =>
    cells
      .filter((cell) => cell.column === column)
      .map(({ text }) => text)
      .join(' ');
  // An amount has one line, the one of the receipt: what stands below is a total.
  const amount = (column: PayerColumn): bigint => {
    const cell = cells.find(
      ({ column: own, y, height }) => own === column && Math.abs(y - (anchor?.y ?? 0)) <= height,
    );
    const cents = centsOf(cell?.text ?? '') ?? 0n;
    return cents < 0n ? -cents : cents;
  };
  const [paidIn, withdrawn] = [amount('paidIn'), amount('withdrawn')];
  const details = words('details');
  const time = timeOf(words('completed'));
  const isCharge = /\bcharges?\b/i.test(details.split(/\s(?:to|from)\s/i)[0] ?? '');
  return {
    receipt,
    completedAt: typeof time === 'number' ? time : null,
    isCompleted: /^completed\b/i.test(words('status')),
    kind: withdrawn === 0n ? 'in' : isCharge ? 'charge' : 'payment',
    cents: withdrawn === 0n ? paidIn : withdrawn,
    payee: /\bto\s+(\d{5,7})\b/i.exec(details)?.[1] ?? null,
  };
}

/**
 * Ten letters and digits: no word and no number. One in ten receipts has letters alone; it begins with those of a year, a
 * month and a day from the tenth on.
 */
function isMpesaReceipt(text: string): boolean {
  if (/^[A-Z][A-L][A-V][A-Z]{7}$/.test(text)) return true;
  const receipt = receiptOf(text);
  return receipt.length === 10 && isReceipt(receipt) && /\d/.test(receipt) && /[A-Z]/.test(receipt);
}
