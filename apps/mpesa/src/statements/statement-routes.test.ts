import { statementFile } from '@repo/statements/testing/statement-file';
import type { BookEntry } from '@repo/statements/testing/statement-file';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { getDeposit, openCustomerWallet, startTestService, TEST_KEY } from '../testing.ts';
import type { TestService } from '../testing.ts';

let service: TestService;
beforeAll(async () => {
  service = await startTestService();
});
afterAll(() => service[Symbol.asyncDispose]());

async function post(path: string, body: Uint8Array | string, key = TEST_KEY) {
  const response = await fetch(`${service.url}${path}`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${key}`,
      'content-type': path.startsWith('/statements') ? 'text/csv' : 'application/json',
    },
    body: typeof body === 'string' ? body : new Uint8Array(body),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

test('a statement is imported, its missed payment is healed, and the report is there afterwards', async () => {
  const account = await openCustomerWallet(service.db);
  const book: BookEntry[] = [
    { receipt: 'TC15P1KAF6', at: Date.UTC(2026, 2, 1, 9), what: 'payment', cents: 1_500_00n, account },
    { receipt: 'TC15P1KAF6', at: Date.UTC(2026, 2, 1, 9), what: 'charge', cents: 8_00n },
  ];
  const file = await statementFile(book, { file: 'xlsx-shared', shortCode: '600123', opening: 10_00n });
  const imported = await post('/statements', file);
  expect(imported).toMatchObject({
    status: 201,
    body: {
      form: 'A',
      shortCode: '600123',
      account: 'Utility Account',
      from: '2026-03-01T09:00:00.000Z',
      to: '2026-03-01T09:00:00.000Z',
      rows: 2,
      lines: 2,
      skipped: 0,
      duplicateLines: 0,
      openingBalance: '10.00',
      closingBalance: '1502.00',
    },
  });
  expect(await post('/statements?shortCode=600123', file)).toEqual({ status: 200, body: imported.body });

  const request = { shortCode: '600123', from: '2026-03-01', to: '2026-03-01' };
  const before = await post('/reconciliations', JSON.stringify(request));
  expect(before).toMatchObject({
    status: 201,
    body: {
      from: '2026-02-28T21:00:00.000Z',
      to: '2026-03-01T21:00:00.000Z',
      totals: { missing_here: { lines: 1, amount: '1500.00' }, charge: { lines: 1, amount: '8.00' } },
      breaks: [{ state: 'missing_here', reference: 'TC15P1KAF6' }],
      inputs: [imported.body['sha256']],
    },
  });
  const healed = await post('/reconciliations', JSON.stringify({ ...request, heal: true }));
  expect(healed.body).toMatchObject({ totals: { matched: { lines: 1 } }, breaks: [] });
  expect(await (await getDeposit(service, 'TC15P1KAF6')).json()).toMatchObject({
    outcome: 'credited',
    wallet: account,
  });

  const found = await fetch(`${service.url}/reconciliations/${String(healed.body['id'])}`, {
    headers: { authorization: `Bearer ${TEST_KEY}` },
  });
  expect(await found.json()).toEqual(healed.body);
});

const BROKEN =
  'Receipt No,Completion Time,Details,Transaction Status,Paid In (KSHs),Withdrawn (KSHs),Balance (KSHs)\nTC1,x,Pay Bill,Completed,1.00,0.00,1.00\n';

test.each([
  { path: '/statements?shortCode=600123', body: BROKEN, code: 'invalid_rows', status: 422 },
  { path: '/statements', body: BROKEN, code: 'short_code_needed', status: 422 },
  { path: '/statements?shortCode=600123', body: '', code: 'invalid_statement', status: 422 },
  { path: '/statements?skipBadRows=maybe', body: BROKEN, code: 'invalid_request', status: 422 },
  { path: '/reconciliations', body: '{}', code: 'invalid_request', status: 422 },
])('$path answers $code', async ({ path, body, code, status }) => {
  expect(await post(path, body)).toMatchObject({ status, body: { code } });
});

test('a row that cannot be used is a finding, and skipping it imports the rest', async () => {
  const path = '/statements?shortCode=600123';
  const refused = await post(path, BROKEN);
  expect(refused.body['findings']).toEqual([
    { where: 'row 2, Completion Time', what: expect.stringContaining('no time') },
  ]);
  expect(await post(`${path}&skipBadRows=true`, BROKEN)).toMatchObject({
    status: 201,
    body: { rows: 1, lines: 0, skipped: 1 },
  });
});

test('a key without the scope admin neither imports nor reconciles', async () => {
  expect(await post('/statements', BROKEN, 'unknown')).toMatchObject({ status: 401 });
  expect(await post('/reconciliations', '{}', 'unknown')).toMatchObject({ status: 401 });
});
