import fc from 'fast-check';
import { anyCharacter } from '@repo/testing/characters';
import { expect, test } from 'vitest';
import { csvText } from './csv-text.ts';

const ONE = { text: (row: string) => row };

test('a table has a header row, CRLF, and empty cells for null', () => {
  const columns = {
    receipt: (row: { receipt: string; amount: string | null }) => row.receipt,
    amount: (row: { amount: string | null }) => row.amount,
    isPaid: () => true,
    parts: () => 2,
  };
  const rows = [
    { receipt: 'RKTQDM7W6S', amount: '150.00' },
    { receipt: 'SKE52PAWR9', amount: null },
  ];
  expect(csvText(columns, rows)).toBe(
    'receipt,amount,isPaid,parts\r\nRKTQDM7W6S,150.00,true,2\r\nSKE52PAWR9,,true,2\r\n',
  );
});

test('a table without rows is its header', () => {
  expect(csvText(ONE, [])).toBe('text\r\n');
});

test.each([
  ['a, b', '"a, b"'],
  ['say "x"', '"say ""x"""'],
  ['two\nlines', '"two\nlines"'],
  ['old\rMac', '"old\rMac"'],
  ['a;=1+1', '"a;=1+1"'],
  ['ASHA Ωmega', 'ASHA Ωmega'],
])('%j becomes one cell', (text, cell) => {
  expect(csvText(ONE, [text])).toBe(`text\r\n${cell}\r\n`);
});

test.each([
  ['=1+1', "'=1+1"],
  ['+254700000001', "'+254700000001"],
  ['-A1', "'-A1"],
  ['-1-1', "'-1-1"],
  ['@sum', "'@sum"],
  [' =1', "' =1"],
  ['\t=1', `"'\t=1"`],
  ['\r=1', `"'\r=1"`],
  ['\n=1', `"'\n=1"`],
  ['=HYPERLINK("http://x";"y")', `"'=HYPERLINK(""http://x"";""y"")"`],
  ['\uFF1D1', "'\uFF1D1"],
])('%j is no formula in a spreadsheet', (text, cell) => {
  expect(csvText(ONE, [text])).toBe(`text\r\n${cell}\r\n`);
});

test.each(['150.00', '-150.00', '-1', '0'])('the number %s stays a number', (text) => {
  expect(csvText(ONE, [text])).toBe(`text\r\n${text}\r\n`);
});

/** A reader of RFC 4180 that knows nothing of the writer. */
function readCsv(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  const cell = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/gy;
  for (const [, quoted, plain = '', end] of text.matchAll(cell)) {
    row.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    if (end === '\r\n') {
      rows.push(row);
      row = [];
    }
  }
  return rows;
}

test('whatever the cells are, a reader gets them back, guarded or as they were', () => {
  const rows = fc.array(fc.array(fc.string({ unit: anyCharacter }), { minLength: 2, maxLength: 2 }));
  fc.assert(
    fc.property(rows, (table) => {
      const columns = { a: (row: string[]) => row[0] ?? '', b: (row: string[]) => row[1] ?? '' };
      const read = readCsv(csvText(columns, table)).slice(1);
      expect(read.length).toBe(table.length);
      for (const [index, cells] of read.entries()) {
        for (const [place, text] of cells.entries()) {
          const sent = table[index]?.[place] ?? '';
          expect([sent, `'${sent}`]).toContain(text);
          expect(text).not.toMatch(/^\s*[=+@\t\r]/);
        }
      }
    }),
  );
});
