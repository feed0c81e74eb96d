import { PDF } from '@libpdf/core';

/** One line of a payer's statement, as a test makes it up. Amounts are cents; `at` is milliseconds since 1970. */
export interface PayerEntry {
  readonly receipt: string;
  readonly at: number;
  readonly details: string;
  readonly status?: string;
  /** What left the payer; below 0 for what came. */
  readonly cents: bigint;
}

/** How M-PESA laid the file out. All of it is optional. */
export interface PayerPdfStyle {
  readonly password?: string;
  /** Cells of one line stand beside the first line of the others, or in their middle. Default: top. */
  readonly layout?: 'top' | 'centred';
  /** Default: left. */
  readonly amounts?: 'left' | 'right';
  readonly empty?: '' | '0.00';
  readonly isSigned?: boolean;
  /** The time stands below the date. */
  readonly isTimeBelow?: boolean;
  /** Only the first page names the columns. */
  readonly isNamedOnce?: boolean;
  readonly rowsOfPage?: number;
}

const SIZE = 7;
const LINE = 9;
const TOP = 842;

const COLUMNS = [
  ['Receipt No.', 30],
  ['Completion Time', 90],
  ['Details', 160],
  ['Transaction Status', 320],
  ['Paid In', 395],
  ['Withdrawn', 450],
  ['Balance', 515],
] as const;

/** A PDF with a customer's statement, written without the library that reads it. */
export async function payerPdf(
  entries: readonly PayerEntry[],
  style: PayerPdfStyle = {},
): Promise<Uint8Array> {
  const { rowsOfPage = 20, isNamedOnce = false, password } = style;
  const pdf = PDF.create();
  for (let start = 0; start === 0 || start < entries.length; start += rowsOfPage) {
    const page = pdf.addPage({ width: 595, height: TOP });
    const write = (text: string, x: number, y: number) => {
      if (text !== '') page.drawText(text, { x, y: TOP - y, size: SIZE });
    };
    let y = 60;
    if (start === 0) {
      write('M-PESA STATEMENT', 30, y);
      write('Customer Name: MADE UP PERSON', 30, y + LINE);
      write('SUMMARY', 30, y + 3 * LINE);
      write('TOTAL: 1,000.00 2,000.00', 30, y + 4 * LINE);
      y += 8 * LINE;
    }
    if (start === 0 || !isNamedOnce) {
      for (const [name, x] of COLUMNS) write(name, x, y);
      y += 2 * LINE;
    }
    for (const entry of entries.slice(start, start + rowsOfPage)) y += writeRow(write, { entry, y, style });
    write(
      `Page ${String(start / rowsOfPage + 1)}. Disclaimer: this record is for your own use.`,
      200,
      TOP - 30,
    );
  }
  if (password !== undefined) pdf.setProtection({ userPassword: password });
  return pdf.save();
}

/** Writes a row below `y`, and answers its height. */
function writeRow(
  write: (text: string, x: number, y: number) => void,
  { entry, y, style }: { readonly entry: PayerEntry; readonly y: number; readonly style: PayerPdfStyle },
): number {
  const { layout = 'top', isTimeBelow = false, empty = '0.00', isSigned = false, amounts = 'left' } = style;
  const [receipt, time, details, status, ...numbers] = COLUMNS.map(([, x]) => x);
  const wall = new Date(entry.at + 3 * 3_600_000).toISOString();
  const day = wall.slice(0, 10);
  const clock = wall.slice(11, 19);
  const isIn = entry.cents < 0n;
  const sum = moneyText(isIn ? -entry.cents : entry.cents);
  const cells: readonly (readonly [texts: readonly string[], x: number])[] = [
    [[entry.receipt], receipt ?? 0],
    [isTimeBelow ? [day, clock] : [`${day} ${clock}`], time ?? 0],
    [wrapped(entry.details), details ?? 0],
    [[entry.status ?? 'Completed'], status ?? 0],
    ...[isIn ? sum : empty, isIn ? empty : `${isSigned ? '-' : ''}${sum}`, '12,345.67'].map(
      (text, i) => [[text], (numbers[i] ?? 0) + (amounts === 'left' ? 0 : 40 - widthOf(text))] as const,
    ),
  ];
  const height = Math.max(...cells.map(([texts]) => texts.length));
  for (const [texts, x] of cells) {
    const first = layout === 'top' ? 0 : (height - texts.length) / 2;
    for (const [i, text] of texts.entries()) write(text, x, y + (first + i) * LINE);
  }
  return (height + 1) * LINE;
}

/** Texts of at most thirty characters, broken between words. */
function wrapped(text: string): string[] {
  return text.match(/.{1,30}(?:\s|$)/g)?.map((line) => line.trim()) ?? [text];
}

function moneyText(cents: bigint): string {
  const digits = cents.toString().padStart(3, '0');
  return `${digits.slice(0, -2).replace(/\B(?=(\d{3})+$)/g, ',')}.${digits.slice(-2)}`;
}

/** In Helvetica, nearly. */
function widthOf(text: string): number {
  return [...text].reduce((sum, each) => sum + (/\d/.test(each) ? 0.556 : 0.3) * SIZE, 0);
}
