import { centsOf } from './amounts.ts';
import type { ColumnKey, Header } from './columns.ts';
import { readDetails, readParty } from './details.ts';
import type { RowFault, RowFaultReason } from './errors.ts';
import { kindOf } from './kinds.ts';
import type { LineKind } from './kinds.ts';
import { receiptIn } from './linked-receipt.ts';
import type { Cell, TableRow } from '@repo/xlsx/table-row';
import { timeOf } from './times.ts';

/** One line of a statement. Amounts are cents of KES; times are milliseconds since 1970. */
export interface StatementLine {
  /** Its row in the file, as spreadsheets count. */
  readonly row: number;
  /** In capitals. Several lines may share it: a payment and its charge. */
  readonly receipt: string;
  readonly completedAt: number;
  readonly initiatedAt: number | null;
  readonly details: string;
  /** As the file says it. */
  readonly status: string;
  /** Whether the money moved: of all states only `Completed` says so. */
  readonly isCompleted: boolean;
  readonly kind: LineKind;
  /** 0 or more. At most one of the two is above 0. */
  readonly paidIn: bigint;
  readonly withdrawn: bigint;
  /** Of the account after this line; null when the file does not say. */
  readonly balance: bigint | null;
  /** Reason Type or Transaction Type; empty where the form has none. */
  readonly reason: string;
  /** What the payer typed as the account; null when the file does not say. */
  readonly account: string | null;
  /** The payer's number as shown: digits or masked. */
  readonly phone: string | null;
  readonly payerName: string | null;
  /** The transaction that this one undoes or belongs to. */
  readonly linkedReceipt: string | null;
}

const LONGEST_TEXT = 1_000;

const TEXTS: readonly ColumnKey[] = ['details', 'status', 'reason', 'party', 'linked', 'account'];

/** Reads a row below the header that has something in it. */
export function readLine(row: TableRow, header: Header): StatementLine | RowFault {
  const fault = (key: ColumnKey, reason: RowFaultReason): RowFault => ({
    row: row.number,
    column: header.names.get(key) ?? key,
    reason,
  });
  const cell = (key: ColumnKey): Cell => row.cells[header.places.get(key) ?? -1] ?? '';
  const text = (key: ColumnKey): string => clean(cell(key));

  const receipt = receiptOf(text('receipt'));
  if (receipt === '') return fault('receipt', 'receipt_missing');
  if (!isReceipt(receipt)) return fault('receipt', 'receipt_invalid');
  const long = TEXTS.find((key) => String(cell(key)).length > LONGEST_TEXT);
  if (long !== undefined) return fault(long, 'text_too_long');

  const initiated = timeOf(cell('initiated'));
  const completed = timeOf(cell('completed'));
  if (initiated === null) return fault('initiated', 'time_invalid');
  if (completed === null) return fault('completed', 'time_invalid');
  const initiatedAt = typeof initiated === 'number' ? initiated : null;
  // A time that lost its date may have lost its hours as well: 15:50 can be minutes and seconds. The money moves within
  // seconds, so the time of the initiation is near enough.
  const completedAt = completed === 'no_date' ? initiatedAt : completed;
  if (completedAt === null) return fault('completed', 'time_without_date');
  if (completedAt === 'empty') return fault('completed', 'time_missing');

  const paidIn = centsOf(cell('paidIn'));
  const signed = centsOf(cell('withdrawn'));
  const balance = centsOf(cell('balance'));
  if (paidIn === null) return fault('paidIn', 'amount_invalid');
  if (signed === null) return fault('withdrawn', 'amount_invalid');
  if (balance === null) return fault('balance', 'amount_invalid');
  if (paidIn < 0n) return fault('paidIn', 'amount_negative');
  // Some exports write what was withdrawn with a sign and some without: the column says which way the money went.
  const withdrawn = signed < 0n ? -signed : signed;
  if (paidIn > 0n && withdrawn > 0n) return fault('withdrawn', 'amounts_both');
  if (!/^(KES|KSHS?)?$/i.test(text('currency'))) return fault('currency', 'currency_unknown');
  const status = text('status');
  if (status === '' && header.places.has('status')) return fault('status', 'status_missing');

  const details = text('details');
  const reason = text('reason');
  const kind = kindOf({ details, reason, paidIn, withdrawn });
  return {
    row: row.number,
    receipt,
    completedAt,
    initiatedAt,
    details,
    status: status === '' ? 'Completed' : status,
    isCompleted: /^(completed)?$/i.test(status),
    kind,
    paidIn,
    withdrawn,
    balance: text('balance') === '' ? null : balance,
    reason,
    ...payerOf(details, text('party'), text('account')),
    linkedReceipt:
      linkedOf(text('linked')) ?? (kind === 'reversal' ? receiptIn(details, receipt, completedAt) : null),
  };
}

export function isLine(read: StatementLine | RowFault): read is StatementLine {
  return 'receipt' in read;
}

/** Receipts are compared in capitals, and only a to z have capitals here: those of some foreign letters are ASCII. */
export function receiptOf(text: string): string {
  return text.replace(/[a-z]+/g, (letters) => letters.toUpperCase());
}

export function isReceipt(text: string): boolean {
  return /^[A-Z0-9]{1,20}$/.test(text);
}

/** Columns of their own are better than what the details repeat. */
function payerOf(details: string, party: string, account: string) {
  const read = readDetails(details);
  const named = readParty(party);
  return {
    account: account === '' ? read.account : account,
    phone: read.phone ?? named.phone,
    payerName: read.name ?? (named.phone === null ? null : named.name),
  };
}

function linkedOf(text: string): string | null {
  const receipt = receiptOf(text);
  return isReceipt(receipt) ? receipt : null;
}

/** A cell as text, without what no database can store: NUL, and halves of characters. */
function clean(cell: Cell): string {
  const text = String(cell);
  return (text.includes('\0') ? text.replaceAll('\0', '') : text).toWellFormed().trim();
}
