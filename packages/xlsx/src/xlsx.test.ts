import fc from 'fast-check';
import { readXlsx } from 'hucre/xlsx';
import { expect, test } from 'vitest';
import { temporaryFile } from '@repo/testing/temporary-file';
import { xlsxRows } from './read-xlsx.ts';
import type { ReadOptions } from './read-xlsx.ts';
import type { Cell } from './table-row.ts';
import { archiveOf, workbookOf } from './testing/workbook.ts';
import { xlsxFile } from './write-xlsx.ts';

async function read(bytes: Uint8Array, options?: ReadOptions): Promise<(readonly Cell[])[]> {
  await using file = await temporaryFile(bytes);
  const rows: (readonly Cell[])[] = [];
  for await (const batch of xlsxRows(file.path, options)) rows.push(...batch.map(({ cells }) => cells));
  return rows;
}

const TEXTS = {
  a: { cell: (row: readonly string[]) => row[0] ?? '' },
  b: { cell: (row: readonly string[]) => row[1] ?? '' },
};

test('what a sheet is given is what another library and our own reader find in it, and no cell is a formula', async () => {
  const text = fc.oneof(
    fc.string({ unit: 'grapheme' }).map((each) => each.trim()),
    fc.constantFrom('=1+1', '+254700000001', '-1-1', '@sum', '=HYPERLINK("http://x","y")', '0012', 'a & <b>'),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(text, text), { maxLength: 8 }), async (rows) => {
      const bytes = await xlsxFile({ name: 'list', columns: TEXTS, rows });
      const [sheet] = (await readXlsx(bytes)).sheets;
      const asRead = sheet?.rows.map((cells) => [cells[0] ?? '', cells[1] ?? '']);
      expect(asRead).toEqual([['a', 'b'], ...rows]);
      expect([...(sheet?.cells?.values() ?? [])].map(({ formula }) => formula)).not.toContainEqual(
        expect.anything(),
      );
      const ours = await read(bytes);
      expect(ours.map(([a = '', b = '']) => [a, b])).toEqual([['a', 'b'], ...rows]);
    }),
    { numRuns: 60 },
  );
});

test('amounts are numbers as long as a spreadsheet keeps all their digits', async () => {
  const columns = { amount: { kind: 'amount' as const, cell: (row: string | null) => row } };
  const rows = ['1500.00', '-0.50', '9999999999999.99', '99999999999999.99', null];
  const found = await read(await xlsxFile({ name: 'amounts', columns, rows }));
  expect(found).toEqual([['amount'], [1500], [-0.5], [9_999_999_999_999.99], ['99999999999999.99'], ['']]);
});

test('a workbook is read the same whether its texts are shared, and whatever its elements are called', async () => {
  const rows = [
    ['id', 'amount', 'comment'],
    ['a1', '150.5', 'x & <y>'],
    ['a2', '', ''],
    ['', '', 'alone'],
  ];
  const expected = [['id', 'amount', 'comment'], ['a1', 150.5, 'x & <y>'], ['a2'], ['', '', 'alone']];
  for (const isShared of [true, false]) {
    for (const prefix of ['', 'x:'])
      expect(await read(await workbookOf(rows, { isShared, prefix }))).toEqual(expected);
  }
});

test('a part that unfolds to more than is allowed is refused before it is read, and a sheet that nobody asked for is left', async () => {
  const bytes = await archiveOf({
    'xl/worksheets/sheet1.xml': '<worksheet><row><c><v>1</v></c></row></worksheet>',
    'xl/worksheets/sheet2.xml': '<worksheet><row><c><v>2</v></c></row></worksheet>',
    'xl/other.xml': ' '.repeat(100_000),
  });
  expect(await read(bytes)).toEqual([[1], [2]]);
  expect(await read(bytes, { sheets: 'first' })).toEqual([[1]]);
  await expect(read(bytes, { maxPartBytes: 99_999 })).rejects.toMatchObject({ code: 'damaged' });
});
