import { createApiKey } from '@repo/db';
import { XLSX_TYPE } from '@repo/http';
import { statementFile } from '@repo/statements/testing/statement-file';
import type { BookEntry } from '@repo/statements/testing/statement-file';
import { temporaryFile } from '@repo/testing/temporary-file';
import { xlsxRows } from '@repo/xlsx/read';
import { workbookOf } from '@repo/xlsx/testing/workbook';
import { expect, test } from 'vitest';
import { TEST_KEY, useTestService } from '../testing.ts';

const service = useTestService();

async function send(asked: string, body?: Uint8Array | string, key = TEST_KEY) {
  const [method = '', path = ''] = asked.split(' ');
  return fetch(`${service.url}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${key}`,
      accept: path.startsWith('/breaks?') ? XLSX_TYPE : 'application/json',
      ...(body === undefined
        ? {}
        : { 'content-type': typeof body === 'string' ? 'application/json' : XLSX_TYPE }),
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : new Uint8Array(body) }),
  });
}

/** The sheet of the breaks of a short code, as a person sees it. */
async function sheetOf(shortCode: string): Promise<string[][]> {
  const response = await send(`GET /breaks?shortCode=${shortCode}`);
  expect([
    response.status,
    response.headers.get('content-type'),
    response.headers.get('content-disposition'),
  ]).toEqual([200, XLSX_TYPE, 'attachment; filename="breaks.xlsx"']);
  await using file = await temporaryFile(new Uint8Array(await response.arrayBuffer()));
  const rows: string[][] = [];
  for await (const batch of xlsxRows(file.path)) rows.push(...batch.map(({ cells }) => cells.map(String)));
  return rows;
}

/** The sheet with other texts in the cells of one row, as a spreadsheet saves it. */
function edited(
  sheet: readonly string[][],
  row: number,
  cells: Readonly<Record<string, string>>,
): string[][] {
  const [header = []] = sheet;
  return sheet.map((each, i) =>
    i === row ? header.map((name, place) => cells[name] ?? each[place] ?? '') : each,
  );
}

async function openBreaks(shortCode: string): Promise<void> {
  const book = ['TC15P1KAF6', 'TC15P1KAF7'].map((receipt): BookEntry => ({
    receipt,
    at: Date.UTC(2026, 2, 1, 9),
    what: 'payout',
    cents: 1_500_00n,
  }));
  await send('POST /statements', await statementFile(book, { shortCode, opening: 10_000_00n }));
  await send('POST /reconciliations', JSON.stringify({ shortCode, from: '2026-03-01', to: '2026-03-01' }));
}

test('breaks go out as a sheet and come back edited, first to be looked at and then to be done; another key approves', async () => {
  await openBreaks('600125');
  const sheet = await sheetOf('600125');
  expect(sheet[0]).toEqual(expect.arrayContaining(['id', 'reference', 'amount', 'version', 'action']));
  expect(sheet).toHaveLength(3);
  const file = await workbookOf(
    edited(sheet, 1, { action: 'propose', reason: 'refunded', comment: '=SUM(A1)' }),
    { isShared: true },
  );
  const looked = await send('POST /breaks/sheet', file);
  const outcome = {
    rows: 2,
    untouched: 1,
    changes: [{ row: 2, action: 'propose', reason: 'refunded', comment: '=SUM(A1)', evidence: null }],
    refused: [],
  };
  expect([looked.status, await looked.json()]).toMatchObject([200, { applied: false, ...outcome }]);
  const done = await send('POST /breaks/sheet?apply=true', file);
  expect([done.status, await done.json()]).toMatchObject([200, { applied: true, ...outcome }]);

  const again = await send('POST /breaks/sheet?apply=true', file);
  expect([again.status, await again.json()]).toMatchObject([
    409,
    {
      code: 'sheet_refused',
      findings: [{ where: 'row 2, version', what: expect.stringMatching(/: propose by .+ \(version 2\)$/) }],
    },
  ]);
  const skipped = await send('POST /breaks/sheet?apply=true&skipRefused=true', file);
  expect(await skipped.json()).toMatchObject({
    applied: true,
    changes: [],
    refused: [{ row: 2, reason: 'stale' }],
  });

  const proposed = await sheetOf('600125');
  const row = proposed.findIndex((cells) => cells.includes('proposed'));
  const approving = await workbookOf(edited(proposed, row, { action: 'approve' }));
  const own = await send('POST /breaks/sheet', approving);
  expect(await own.json()).toMatchObject({ refused: [{ row: row + 1, reason: 'same_person' }] });
  const { key } = await createApiKey(service.db, { name: 'second person', scopes: ['admin'] });
  const other = await send('POST /breaks/sheet?apply=true', approving, key);
  expect(await other.json()).toMatchObject({ applied: true, changes: [{ action: 'approve' }] });
  // What the CSV of the same list says no spreadsheet takes for a formula.
  const csv = await fetch(`${service.url}/breaks?shortCode=600125`, {
    headers: { authorization: `Bearer ${TEST_KEY}`, accept: 'text/csv' },
  });
  expect(await csv.text()).toContain(",'=SUM(A1),");
});

test.each([
  { path: '/breaks/sheet', body: 'id,version', status: 422, code: 'invalid_sheet' },
  { path: '/breaks/sheet?apply=perhaps', body: '', status: 422, code: 'invalid_request' },
  { path: '/breaks/sheet', body: 'x'.repeat(8 * 1024 * 1024 + 1), status: 413, code: 'body_too_large' },
])('$path with a body that cannot be used answers $code', async ({ path, body, status, code }) => {
  const response = await send(`POST ${path}`, new TextEncoder().encode(body));
  expect([response.status, await response.json()]).toMatchObject([status, { code }]);
});

test('a key without the scope admin reads the sheet and sends none', async () => {
  const { key } = await createApiKey(service.db, { name: 'reader', scopes: ['read'] });
  expect((await send('GET /breaks?shortCode=600126', undefined, key)).status).toBe(200);
  expect((await send('POST /breaks/sheet', new Uint8Array([1]), key)).status).toBe(403);
});
