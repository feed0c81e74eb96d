import { workbookOf } from '@repo/xlsx/testing/workbook';

/** One posting at M-PESA, as a test makes it up. Amounts are cents; `at` is milliseconds since 1970. */
export interface BookEntry {
  readonly receipt: string;
  readonly at: number;
  readonly what: 'payment' | 'charge' | 'sweep' | 'reversal' | 'failed' | 'payout';
  readonly cents: bigint;
  /** What the payer typed. */
  readonly account?: string;
  /** As the portal shows them. */
  readonly phone?: string;
  readonly name?: string;
  /** The payment that a reversal undoes. */
  readonly undoes?: string;
}

/** How a portal, or a person with a spreadsheet, wrote the file. All of it is optional. */
export interface FileStyle {
  readonly form?: 'A' | 'B' | 'C';
  readonly file?: 'csv' | 'xlsx' | 'xlsx-shared';
  readonly shortCode?: string;
  readonly account?: string;
  readonly opening?: bigint;
  /** Default: newest. */
  readonly first?: 'newest' | 'oldest';
  readonly dates?: 'dashes' | 'slashes' | 'iso' | 'serial';
  readonly empty?: '' | '0' | '0.00';
  readonly isGrouped?: boolean;
  readonly isSigned?: boolean;
  readonly isLowerCase?: boolean;
  /** A row of totals, blank rows and a remark. */
  readonly hasNoise?: boolean;
  readonly hasPreamble?: boolean;
  readonly lineEnd?: '\r\n' | '\n';
  readonly separator?: ',' | ';' | '\t';
  readonly hasByteOrderMark?: boolean;
  /** Columns from right to left. */
  readonly isTurned?: boolean;
}

type Cells = readonly string[];

const EAT_MS = 3 * 3_600_000;

/** The bytes of a statement that shows the entries, with balances that follow from each other. */
export async function statementFile(book: readonly BookEntry[], style: FileStyle = {}): Promise<Buffer> {
  const rows = statementRows(book, style);
  return style.file === undefined || style.file === 'csv'
    ? csvFile(rows, style)
    : workbookOf(rows, { isShared: style.file === 'xlsx-shared' });
}

/** The rows of the file as a spreadsheet shows them. */
export function statementRows(book: readonly BookEntry[], style: FileStyle = {}): Cells[] {
  const { opening = 0n, first = 'newest', hasNoise = false, isTurned = false } = style;
  let balance = opening;
  const oldestFirst = book.map((entry) => {
    balance += netOf(entry);
    return lineCells(entry, balance, style);
  });
  const lines = first === 'newest' ? oldestFirst.toReversed() : oldestFirst;
  const header = HEADERS[style.form ?? 'A'];
  const noise: Cells[] = hasNoise
    ? [[], ['Total', '', '', '', '', '1,000.00', '2.00'], ['This is no invoice']]
    : [];
  const table = [header, ...lines].map((cells) => (isTurned ? cells.toReversed() : cells));
  return [...preambleRows(book, style, balance), ...table, ...noise];
}

const HEADERS = {
  A: 'Receipt No.|Completion Time|Initiation Time|Details|Transaction Status|Paid In|Withdrawn|Balance|Balance Confirmed|Reason Type|Other Party Info|Linked Transaction ID|A/C No.|Currency'.split(
    '|',
  ),
  B: 'Receipt No|Completion Time|Details|Transaction Status|Paid In (KSHs)|Withdrawn (KSHs)|Balance (KSHs)'.split(
    '|',
  ),
  C: 'Receipt No|Completion Time|Details|Transaction Status|Paid in|Withdrawn|Balance|Transaction Type|Other Party'.split(
    '|',
  ),
} as const;

function preambleRows(book: readonly BookEntry[], style: FileStyle, closing: bigint): Cells[] {
  const { form = 'A', shortCode, hasPreamble = true, opening = 0n } = style;
  if (!hasPreamble) return [];
  const times = book.map(({ at }) => at);
  const [from, to] = [Math.min(...times), Math.max(...times)].map((at) => timeText(at, { dates: 'dashes' }));
  if (form === 'B') {
    const [start, end] = [from, to].map((text) => text?.slice(0, 10).replaceAll('-', '/') ?? '');
    return shortCode === undefined
      ? []
      : [[`Statements for ${shortCode} from ${start ?? ''} to ${end ?? ''}`]];
  }
  if (form === 'C') return [['M-PESA FULL STATEMENT - Merchant'], ['Till Number', shortCode ?? ''], []];
  const sum = (isIn: boolean) =>
    book.reduce((total, entry) => (netOf(entry) > 0n === isIn ? total + abs(netOf(entry)) : total), 0n);
  return [
    ['Account Holder:', 'Example Traders'],
    ['Short Code:', shortCode ?? ''],
    ['Account:', style.account ?? 'Utility Account'],
    ['Time Period:', 'From', from ?? '', 'To', to ?? ''],
    ['Operator:', 'Tester', 'Organization:', 'Example Traders', 'Date of Report:', to ?? ''],
    [
      'Opening Balance:',
      money(opening),
      'Closing Balance:',
      money(closing),
      'Available Balance:',
      '',
      'Total Paid In:',
      money(sum(true)),
      'Total Withdrawn:',
      `-${money(sum(false))}`,
    ],
  ];
}

/** What an entry changed of the account: what failed changed nothing. */
export function netOf({ what, cents }: BookEntry): bigint {
  if (what === 'failed') return 0n;
  return what === 'payment' ? cents : -cents;
}

const REASONS = {
  payment: 'Pay Bill Online',
  failed: 'Pay Bill Online',
  charge: 'Pay Bill Online',
  sweep: 'Organization Settlement',
  reversal: 'Transaction Reversal',
  payout: 'Business Payment to Customer',
} as const;

function lineCells(entry: BookEntry, balance: bigint, style: FileStyle): Cells {
  const { form = 'A', empty = '', isLowerCase = false, isSigned = form === 'A' } = style;
  const { what, cents, phone = '25470****111', name = 'ATIENO **** OTIENO', account = '' } = entry;
  const receipt = isLowerCase ? entry.receipt.toLowerCase() : entry.receipt;
  const time = timeText(entry.at, style);
  const isIn = what === 'payment' || what === 'failed';
  const sum = amountText(cents, style);
  const paidIn = isIn ? sum : empty;
  const withdrawn = isIn ? empty : `${isSigned ? '-' : ''}${sum}`;
  const status = what === 'failed' ? 'Failed' : 'Completed';
  const party = what === 'payment' || what === 'failed' ? `${phone} - ${name}` : '';
  const details = {
    payment: `Pay Bill Online from ${party} Acc. ${account}`,
    failed: `Pay Bill Online from ${party} Acc. ${account}`,
    charge: 'Pay Bill Charge',
    sweep: 'Utility Account to Organization Settlement Account',
    reversal: `Reversal of ${entry.undoes ?? ''}`,
    payout: 'Business Payment to Customer to 25470****222 - SHOP',
  }[what];
  const start = [receipt, time];
  const middle = [details, status, paidIn, withdrawn, amountText(balance, style)];
  if (form === 'B') return [...start, ...middle];
  if (form === 'C') return [...start, ...middle, REASONS[what], '7480407-EXAMPLE HQ'];
  const linked = entry.undoes ?? '';
  return [
    ...start,
    time,
    ...middle,
    'true',
    REASONS[what],
    what === 'charge' ? 'SP' : party,
    linked,
    isIn ? account : '',
    'KES',
  ];
}

function timeText(at: number, { dates = 'dashes' }: FileStyle): string {
  const wall = new Date(at + EAT_MS).toISOString();
  const [year = '', month = '', day = ''] = wall.slice(0, 10).split('-');
  const clock = wall.slice(11, 19);
  if (dates === 'iso') return `${wall.slice(0, 10)} ${clock}`;
  if (dates === 'serial') return String((at + EAT_MS) / 86_400_000 + 25_569);
  return [day, month, year].join(dates === 'slashes' ? '/' : '-') + ` ${clock}`;
}

function amountText(cents: bigint, { isGrouped = false, file = 'csv' }: FileStyle): string {
  const text = money(cents);
  // A spreadsheet's number has no grouping; a text cell has.
  return isGrouped && file === 'csv' ? text.replace(/\B(?=(\d{3})+\.)/g, ',') : text;
}

function money(cents: bigint): string {
  const digits = abs(cents).toString().padStart(3, '0');
  return `${cents < 0n ? '-' : ''}${digits.slice(0, -2)}.${digits.slice(-2)}`;
}

function abs(cents: bigint): bigint {
  return cents < 0n ? -cents : cents;
}

function csvFile(rows: readonly Cells[], style: FileStyle): Buffer {
  const { separator = ',', lineEnd = '\r\n', hasByteOrderMark = false } = style;
  const quoted = (cell: string) => (/[",;\t\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);
  const text = rows.map((cells) => cells.map(quoted).join(separator) + lineEnd).join('');
  return Buffer.from((hasByteOrderMark ? '\uFEFF' : '') + text);
}
