import fc from 'fast-check';
import { expect, it } from 'vitest';
import { isStatementError, readStatement } from './index.ts';
import type { StatementHead, StatementLine } from './index.ts';
import { books, styles } from './testing/arbitraries.ts';
import { netOf, statementFile } from './testing/statement-file.ts';
import type { BookEntry } from './testing/statement-file.ts';
import { temporaryFile } from '@repo/testing/temporary-file';

async function read(bytes: Uint8Array | string) {
  await using file = await temporaryFile(bytes);
  const lines: StatementLine[] = [];
  let head: StatementHead | null = null;
  const summary = await readStatement(file.path, {
    head: (each) => {
      head = each;
    },
    lines: (some) => void lines.push(...some),
  });
  return { head: head as StatementHead | null, lines, summary };
}

/** What a book entry must be read as, whichever form shows it. */
function lineFacts({ receipt, at, what, cents, account }: BookEntry) {
  const isIn = what === 'payment' || what === 'failed';
  return {
    receipt,
    completedAt: at,
    kind: what === 'failed' ? 'payment' : what,
    isCompleted: what !== 'failed',
    paidIn: isIn ? cents : 0n,
    withdrawn: isIn ? 0n : cents,
    account: isIn ? account : null,
    phone: isIn ? '25470****111' : null,
  };
}

it('a statement is read the same whatever form, file, dates, signs and order it has', async () => {
  await fc.assert(
    fc.asyncProperty(books(), styles(), async (book, style) => {
      const { lines, summary } = await read(await statementFile(book, style));
      expect(summary.faults).toEqual([]);
      expect(summary.rows).toBe(book.length);
      const oldestFirst = style.first === 'newest' ? lines.toReversed() : lines;
      expect(oldestFirst).toMatchObject(book.map(lineFacts));
      const sum = (isIn: boolean) =>
        book.map(netOf).reduce((total, net) => (net > 0n === isIn ? total + net : total), 0n);
      expect([summary.paidIn, -summary.withdrawn]).toEqual([sum(true), sum(false)]);
      const moved = book.some(({ what }) => what !== 'failed');
      expect(summary.balances).toEqual({
        opening: moved ? style.opening : null,
        closing: moved ? (style.opening ?? 0n) + sum(true) + sum(false) : null,
        breaks: 0,
        firstBreak: null,
      });
    }),
    { numRuns: 60 },
  );
});

const BOOK: readonly BookEntry[] = [
  {
    receipt: 'TC15P1KAF6',
    at: Date.UTC(2026, 2, 1, 9),
    what: 'payment',
    cents: 15_000_00n,
    account: 'GV A2',
  },
  { receipt: 'TC15P1KAF7', at: Date.UTC(2026, 2, 1, 10), what: 'sweep', cents: 10_000_00n },
];

it('the preamble says whose statement it is, of what time, and what it comes to', async () => {
  const { head } = await read(await statementFile(BOOK, { shortCode: '600123', opening: 5_00n }));
  expect(head).toEqual({
    form: 'A',
    preamble: {
      shortCode: '600123',
      account: 'Utility Account',
      from: Date.UTC(2026, 2, 1, 9),
      to: Date.UTC(2026, 2, 1, 10),
      opening: 5_00n,
      closing: 5_005_00n,
      paidIn: 15_000_00n,
      withdrawn: 10_000_00n,
    },
  });
});

it.each([
  ['B', 'Statements for 600123 from 01/03/2026 to 01/03/2026'],
  ['C', 'Till Number'],
] as const)('form %s names its short code in %j', async (form, _where) => {
  const { head } = await read(await statementFile(BOOK, { form, shortCode: '600123' }));
  expect(head).toMatchObject({ form, preamble: { shortCode: '600123' } });
});

const HEADER =
  'Receipt No.,Completion Time,Initiation Time,Details,Transaction Status,Paid In,Withdrawn,Balance';

it.each([
  {
    row: ',01-03-2026 09:00:00,,Pay Bill,Completed,1.00,,1.00',
    column: 'Receipt No.',
    reason: 'receipt_missing',
  },
  {
    row: 'TC-1,01-03-2026 09:00:00,,Pay Bill,Completed,1.00,,1.00',
    column: 'Receipt No.',
    reason: 'receipt_invalid',
  },
  { row: 'TC1,,,Pay Bill,Completed,1.00,,1.00', column: 'Completion Time', reason: 'time_missing' },
  {
    row: 'TC1,31-02-2026 09:00:00,,Pay Bill,Completed,1.00,,1.00',
    column: 'Completion Time',
    reason: 'time_invalid',
  },
  {
    row: 'TC1,12/19/2025 09:00,,Pay Bill,Completed,1.00,,1.00',
    column: 'Completion Time',
    reason: 'time_invalid',
  },
  { row: 'TC1,15:50,,Pay Bill,Completed,1.00,,1.00', column: 'Completion Time', reason: 'time_without_date' },
  {
    row: 'TC1,01-03-2026 09:00:00,soon,Pay Bill,Completed,1.00,,1.00',
    column: 'Initiation Time',
    reason: 'time_invalid',
  },
  {
    row: 'TC1,01-03-2026 09:00:00,,Pay Bill,Completed,1.005,,1.00',
    column: 'Paid In',
    reason: 'amount_invalid',
  },
  {
    row: 'TC1,01-03-2026 09:00:00,,Pay Bill,Completed,"1,00",,1.00',
    column: 'Paid In',
    reason: 'amount_invalid',
  },
  {
    row: 'TC1,01-03-2026 09:00:00,,Pay Bill,Completed,-1.00,,1.00',
    column: 'Paid In',
    reason: 'amount_negative',
  },
  {
    row: 'TC1,01-03-2026 09:00:00,,Pay Bill,Completed,,1e3,1.00',
    column: 'Withdrawn',
    reason: 'amount_invalid',
  },
  {
    row: 'TC1,01-03-2026 09:00:00,,Pay Bill,Completed,1.00,1.00,1.00',
    column: 'Withdrawn',
    reason: 'amounts_both',
  },
  { row: 'TC1,01-03-2026 09:00:00,,Pay Bill,Completed,1.00,,x', column: 'Balance', reason: 'amount_invalid' },
  {
    row: `TC1,01-03-2026 09:00:00,,${'x'.repeat(1_001)},Completed,1.00,,1.00`,
    column: 'Details',
    reason: 'text_too_long',
  },
  {
    row: 'TC1,01-03-2026 09:00:00,,Pay Bill,,1.00,,1.00',
    column: 'Transaction Status',
    reason: 'status_missing',
  },
])('the row $row is named: $column, $reason', async ({ row, column, reason }) => {
  const good = 'TC2,01-03-2026 09:00:00,,Pay Bill,Completed,1.00,,1.00';
  const { lines, summary } = await read(`x,y\n${HEADER}\n${good}\n${row}\n`);
  expect(summary).toMatchObject({ rows: 2, faultCount: 1, faults: [{ row: 4, column, reason }] });
  expect(lines.map(({ receipt }) => receipt)).toEqual(['TC2']);
});

it('a row in another currency is named, and the shillings beside it are read', async () => {
  const rows = ['KES', '', 'Ksh', 'USD'].map(
    (currency, i) => `TC${String(i)},01-03-2026 09:00:00,,Pay Bill,Completed,1.00,,1.00,${currency}`,
  );
  const { lines, summary } = await read([`${HEADER},Currency`, ...rows].join('\n'));
  expect(lines).toHaveLength(3);
  expect(summary.faults).toEqual([{ row: 5, column: 'Currency', reason: 'currency_unknown' }]);
});

it.each([
  ['1\u00A0500.00', 150_000n, 0n],
  ['2\u202F001\u202F500', 200_150_000n, 0n],
  ['', 0n, 150_000n],
])('an amount that a typesetter wrote as %j is read', async (paidIn, cents, withdrawn) => {
  const row = `TC1,01-03-2026 09:00:00,,Pay Bill,Completed,${paidIn},${paidIn === '' ? '\u22121500.00' : ''},1.00`;
  expect((await read(`${HEADER}\n${row}\n`)).lines).toMatchObject([{ paidIn: cents, withdrawn }]);
});

it('a workbook whose parts are encrypted is refused as that', async () => {
  const book: BookEntry[] = [{ receipt: 'TC15P1KAF8', at: Date.UTC(2026, 2, 1), what: 'payment', cents: 1n }];
  const bytes = await statementFile(book, { file: 'xlsx' });
  // The first flag of each part, in its own header and in the directory.
  for (const [mark, place] of [
    ['PK\u0003\u0004', 6],
    ['PK\u0001\u0002', 8],
  ] as const) {
    for (let at = bytes.indexOf(mark); at >= 0; at = bytes.indexOf(mark, at + 1)) {
      bytes.writeUInt8(bytes.readUInt8(at + place) | 1, at + place);
    }
  }
  await expect(read(bytes)).rejects.toMatchObject({ code: 'file_encrypted' });
});

it('a time that lost its date is that of the initiation', async () => {
  const { lines } = await read(`${HEADER}\nTC1,15:50,01-03-2026 09:00:00,Pay Bill,Completed,1.00,,1.00\n`);
  expect(lines).toMatchObject([{ completedAt: Date.UTC(2026, 2, 1, 6) }]);
});

it('a balance that does not follow from that of its neighbour is counted, with its row', async () => {
  const rows = ['10.00', '25.00', '35.00'].map(
    (balance, i) => `TC${String(i)},01-03-2026 09:0${String(i)}:00,,Pay Bill,Completed,10.00,,${balance}`,
  );
  const { summary } = await read([HEADER, ...rows.toReversed()].join('\n'));
  expect(summary.balances).toMatchObject({ breaks: 1, firstBreak: 4 });
});

it.each([
  {
    what: 'a charge below its payment says it',
    receipt: 'TC1',
    style: { first: 'oldest', hasPreamble: false },
  },
  {
    what: 'a charge above its payment says it',
    receipt: 'TC1',
    style: { first: 'newest', hasPreamble: false },
  },
  { what: 'the head says it', receipt: 'TC2', style: { first: 'oldest', hasPreamble: true } },
] as const)(
  'which of two lines of one second and one amount came first: $what',
  async ({ receipt, style }) => {
    const at = Date.UTC(2026, 2, 1, 9);
    const book: BookEntry[] = [
      { receipt: 'TC1', at, what: 'payment', cents: 5_00n },
      { receipt, at, what: 'charge', cents: 5_00n },
    ];
    const { summary } = await read(await statementFile(book, { opening: 7_00n, ...style }));
    expect(summary.balances).toMatchObject({ opening: 7_00n, closing: 7_00n, breaks: 0 });
  },
);

it.each(['TC15P1KAF6', 'UBSKLMNOPQ', 'UC1ABCDEFG'])(
  'a reversal names the payment %s that it undoes, in a column or in its words',
  async (undoes) => {
    const book: BookEntry[] = [
      { receipt: 'UC15P1KAF8', at: Date.UTC(2026, 2, 1), what: 'reversal', cents: 1n, undoes },
    ];
    for (const form of ['A', 'B', 'C'] as const) {
      const { lines } = await read(await statementFile(book, { form }));
      expect(lines).toMatchObject([{ kind: 'reversal', linkedReceipt: undoes }]);
    }
  },
);

it.each([
  { what: 'an empty file', bytes: '', code: 'file_empty' },
  { what: 'a PDF', bytes: '%PDF-1.7 x', code: 'file_unsupported' },
  { what: 'an old workbook', bytes: Buffer.from('D0CF11E0A1B11AE1', 'hex'), code: 'file_unsupported' },
  { what: 'a web page', bytes: '<html>', code: 'file_unsupported' },
  { what: 'another table', bytes: 'a,b\n1,2\n', code: 'no_header' },
  { what: 'a table without a column', bytes: HEADER.replace('Withdrawn', 'x'), code: 'column_missing' },
  { what: 'a table with a column twice', bytes: `${HEADER},Balance`, code: 'column_repeated' },
  { what: 'a workbook that was cut off', bytes: 'PK\u0003\u0004xxxx', code: 'file_damaged' },
  { what: 'a quote without an end', bytes: `${HEADER}\n"${'x'.repeat(300_000)}`, code: 'file_damaged' },
])('$what is refused as $code', async ({ bytes, code }) => {
  await expect(read(bytes)).rejects.toMatchObject({ name: 'StatementError', code });
});

it('a file that was damaged anywhere is read, or refused with a code: it never fails in another way', async () => {
  const damage = fc.array(
    fc.record({ at: fc.nat(), length: fc.nat(40), bytes: fc.uint8Array({ maxLength: 40 }) }),
    {
      minLength: 1,
      maxLength: 4,
    },
  );
  await fc.assert(
    fc.asyncProperty(
      books(),
      styles(),
      fc.record({ faults: damage, isCut: fc.boolean() }),
      async (book, style, { faults, isCut }) => {
        let bytes = await statementFile(book, style);
        for (const { at, length, bytes: others } of faults) {
          const start = at % bytes.length;
          bytes = Buffer.concat([bytes.subarray(0, start), others, bytes.subarray(start + length)]);
        }
        if (isCut) bytes = bytes.subarray(0, bytes.length / 2);
        try {
          const { lines, summary } = await read(bytes);
          expect(lines.length + summary.faultCount).toBe(summary.rows);
        } catch (error) {
          expect(isStatementError(error) ? 'named' : error).toBe('named');
        }
      },
    ),
    { numRuns: 150 },
  );
});
