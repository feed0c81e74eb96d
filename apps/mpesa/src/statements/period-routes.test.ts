import { createApiKey } from '@repo/db';
import { statementFile } from '@repo/statements/testing/statement-file';
import type { BookEntry } from '@repo/statements/testing/statement-file';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestService, TEST_KEY } from '../testing.ts';
import type { TestService } from '../testing.ts';

let service: TestService;
beforeAll(async () => {
  service = await startTestService();
});
afterAll(() => service[Symbol.asyncDispose]());

/** Sends a request such as `GET /periods`. */
async function send(asked: string, body?: unknown, key = TEST_KEY) {
  const [method = '', path = ''] = asked.split(' ');
  const isFile = Buffer.isBuffer(body);
  const response = await fetch(`${service.url}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${key}`,
      ...(body === undefined ? {} : { 'content-type': isFile ? 'text/csv' : 'application/json' }),
    },
    ...(body === undefined ? {} : { body: isFile ? new Uint8Array(body) : JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

const DAY = { shortCode: '600123', from: '2026-03-01', to: '2026-03-01' };

function entry(facts: Partial<BookEntry>): BookEntry {
  return { receipt: 'TC15P1KAF6', at: Date.UTC(2026, 2, 1, 9), what: 'payment', cents: 1_500_00n, ...facts };
}

test('a day is worked on, healed, closed, and reopened with a name and a reason', async () => {
  const book = [entry({}), entry({ what: 'charge', cents: 8_00n })];
  await send('POST /statements', await statementFile(book, { shortCode: DAY.shortCode }));
  await send('POST /reconciliations', DAY);
  const refused = await send('POST /periods', DAY);
  expect(refused).toMatchObject({ status: 409, body: { code: 'period_not_agreed' } });
  expect(refused.body['findings']).toEqual([
    { where: 'float', what: expect.stringContaining('M-PESA holds 1492.00') },
    { where: 'TC15P1KAF6', what: 'missing_here of 1500.00' },
  ]);
  expect(await send('GET /breaks?shortCode=600123&status=open')).toMatchObject({
    body: { items: [{ reference: 'TC15P1KAF6', state: 'missing_here', status: 'open', version: 1 }] },
  });

  await send('POST /reconciliations', { ...DAY, heal: true });
  const closed = await send('POST /periods', DAY);
  expect(closed).toMatchObject({
    status: 201,
    body: { status: 'closed', closingBalance: '1492.00', float: '1492.00', items: [], reopened: null },
  });
  expect(await send('POST /periods', DAY)).toEqual(closed);
  expect(await send('GET /periods?shortCode=600123')).toMatchObject({ body: { items: [closed.body] } });
  expect(await send('POST /reconciliations', { ...DAY, heal: true })).toMatchObject({
    status: 409,
    body: { code: 'period_closed' },
  });
  const more = await statementFile([...book, entry({ receipt: 'TC15P1KAF7' })], { shortCode: DAY.shortCode });
  expect(await send('POST /statements', more)).toMatchObject({
    status: 409,
    body: { code: 'period_closed' },
  });

  const path = `/periods/${String(closed.body['id'])}`;
  expect(await send(`POST ${path}/reopening`, { reason: 'a file was missing' })).toMatchObject({
    status: 200,
    body: { status: 'reopened', reopened: { reason: 'a file was missing' } },
  });
  expect(await send(`GET ${path}`)).toMatchObject({ body: { status: 'reopened' } });
  expect(await send('GET /receivables')).toEqual({
    status: 200,
    body: { outstanding: '0.00', items: [] },
  });
});

test('breaks are changed by a filter, and another key approves', async () => {
  const shortCode = '600124';
  const book = [
    entry({ receipt: 'TC15P1KAF8', what: 'payout' }),
    entry({ receipt: 'TC15P1KAF9', what: 'payout' }),
  ];
  await send('POST /statements', await statementFile(book, { shortCode, opening: 10_000_00n }));
  await send('POST /reconciliations', { ...DAY, shortCode });
  const propose = { action: 'propose', filter: { shortCode }, reason: 'refunded', evidence: 'ticket 3' };
  expect(await send('POST /breaks/changes', { ...propose, dryRun: true })).toEqual({
    status: 200,
    body: { changed: 2, refused: [] },
  });
  expect(await send('POST /breaks/changes', propose)).toMatchObject({ body: { changed: 2 } });
  const approve = { action: 'approve', filter: { shortCode } };
  expect(await send('POST /breaks/changes', approve)).toMatchObject({
    body: { changed: 0, refused: [{ reason: 'same_person' }, { reason: 'same_person' }] },
  });
  const { key } = await createApiKey(service.db, { name: 'second person', scopes: ['admin'] });
  expect(await send('POST /breaks/changes', approve, key)).toMatchObject({ body: { changed: 2 } });
  const listed = await send('GET /breaks?shortCode=600124&status=approved');
  const [first] = listed.body['items'] as { readonly id: string }[];
  expect(await send(`GET /breaks/${String(first?.id)}/history`)).toMatchObject({
    body: {
      items: [{ action: 'found' }, { action: 'propose' }, { action: 'approve', actor: 'second person' }],
    },
  });
  const csv = await fetch(`${service.url}/breaks?shortCode=600124`, {
    headers: { authorization: `Bearer ${TEST_KEY}`, accept: 'text/csv' },
  });
  expect(await csv.text()).toMatch(
    /^id,shortCode,side,state,.*\r\n[^\n]*,600124,statement,unexplained,payout,/,
  );
});

test.each([
  { path: '/periods', body: { ...DAY, items: [{ control: 'float', amount: '1', note: 'x' }] }, status: 422 },
  { path: '/periods', body: { ...DAY, to: '2999-01-01' }, status: 422 },
  { path: '/periods/none/reopening', body: { reason: 'why' }, status: 404 },
  { path: '/breaks/changes', body: { action: 'approve' }, status: 422 },
  { path: '/breaks/changes', body: { action: 'assign', filter: {} }, status: 422 },
])('$path refuses $body with $status', async ({ path, body, status }) => {
  expect(await send(`POST ${path}`, body)).toMatchObject({ status });
});

test('a key without the scope admin closes nothing and changes no break', async () => {
  const { key } = await createApiKey(service.db, { name: 'reader', scopes: ['read'] });
  expect(await send('POST /periods', DAY, key)).toMatchObject({ status: 403 });
  expect(await send('POST /breaks/changes', { action: 'approve', filter: {} }, key)).toMatchObject({
    status: 403,
  });
  expect(await send('GET /breaks', undefined, key)).toMatchObject({ status: 200 });
});
