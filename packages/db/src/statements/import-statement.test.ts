import fc from 'fast-check';
import { expect, test } from 'vitest';
import { books, styles } from '@repo/statements/testing/arbitraries';
import { statementFile } from '@repo/statements/testing/statement-file';
import { useTestDb, valueOf } from '../testing/database/test-db.ts';
import { importBook, importBytes, newShortCode, noonPlus } from '../testing/statements.ts';

const database = useTestDb();
const { sql } = database;

const linesOf = (shortCode: string) =>
  valueOf(sql, 'SELECT count(*)::int FROM services.mpesa_statement_lines WHERE short_code = $1', [shortCode]);

test('a day that is imported in every form has each line once, and a file imported twice changes nothing', async () => {
  await fc.assert(
    fc.asyncProperty(books(), fc.array(styles(), { minLength: 2, maxLength: 4 }), async (book, manners) => {
      const shortCode = newShortCode();
      for (const style of manners) {
        const bytes = await statementFile(book, { ...style, opening: 100_00n, shortCode });
        const first = await importBytes(database.db, bytes, { shortCode });
        expect(first).toMatchObject({
          rows: book.length,
          lines: first.rows - first.duplicateLines,
          skipped: 0,
        });
        expect(await importBytes(database.db, bytes, { shortCode })).toEqual({ ...first, isRepeat: true });
        expect(await linesOf(shortCode)).toBe(book.length);
      }
    }),
    { numRuns: 10 },
  );
});

const BROKEN = `Receipt No.,Completion Time,Details,Transaction Status,Paid In,Withdrawn,Balance
TC1,01-03-2026 09:00:00,Pay Bill,Completed,1.00,,1.00
TC2,yesterday,Pay Bill,Completed,1.00,,2.00
TC3,01-03-2026 09:02:00,Pay Bill,Completed,1.00,,3.00
`;

test('a broken file names row and column and imports nothing, or all but the named rows', async () => {
  const shortCode = newShortCode();
  await expect(importBytes(database.db, BROKEN, { shortCode })).rejects.toMatchObject({
    code: 'invalid_rows',
    findings: [{ where: 'row 3, Completion Time' }],
  });
  expect(await linesOf(shortCode)).toBe(0);
  expect(await importBytes(database.db, BROKEN, { shortCode, skipBadRows: true })).toMatchObject({
    rows: 3,
    lines: 2,
    skipped: 1,
    skippedRows: [expect.stringContaining('row 3, Completion Time')],
  });
  expect(await linesOf(shortCode)).toBe(2);
});

test.each([
  { bytes: BROKEN, request: {}, code: 'short_code_needed' },
  { bytes: `Short Code:,600123\n${BROKEN}`, request: { shortCode: '600124' }, code: 'short_code_differs' },
  { bytes: 'no statement', request: { shortCode: '600124' }, code: 'invalid_statement' },
  { bytes: BROKEN, request: { shortCode: 'x' }, code: 'invalid_request' },
])('a file that cannot be imported is refused: $code', async ({ bytes, request, code }) => {
  await expect(importBytes(database.db, bytes, request)).rejects.toMatchObject({ code, kind: 'refused' });
});

test('importers of overlapping files at the same time write each line once and wait for each other', async () => {
  const shortCode = newShortCode();
  const book = Array.from({ length: 60 }, (_, i) => ({
    receipt: `TC1AAAA${String(i).padStart(3, '0')}`,
    at: noonPlus(i),
    what: 'payment' as const,
    cents: 100n,
  }));
  const spans = [
    [0, 60],
    [0, 40],
    [20, 60],
    [0, 60],
    [10, 50],
  ] as const;
  const results = await Promise.all(
    spans.map(([from, to], i) => {
      const first = i % 2 === 0 ? 'newest' : 'oldest';
      return importBook(database.db, book.slice(from, to), {
        shortCode,
        first,
        opening: BigInt(from) * 100n,
      });
    }),
  );
  expect(results.reduce((sum, { lines }) => sum + lines, 0)).toBe(60);
  expect(await linesOf(shortCode)).toBe(60);
});
