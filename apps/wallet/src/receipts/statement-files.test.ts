import { createApiKey, openWallet } from '@repo/db';
import { compactText, readPdf } from '@repo/receipts/testing/read-pdf';
import { expect, test } from 'vitest';
import { deposit, openCustomer, posting, startTestService, useTestService } from '../testing.ts';
import type { TestService } from '../testing.ts';

const service = useTestService();

const ISSUER = { name: 'Mwananchi Sacco', contact: '0700 000 000' };
const CSV = { headers: { accept: 'text/csv' } };
const PDF = { headers: { accept: 'application/pdf' } };

async function moveMoney(of: TestService) {
  const number = await openCustomer(of.db);
  const other = await openCustomer(of.db);
  const receipt = await deposit(of.db, { account: number, amount: '100.00' });
  const request = posting({ from: number, to: other, amount: '30.00', narrative: '=cmd, "Rent"' });
  const { body } = await of.ask('/transfers', request);
  return {
    number,
    other,
    receipt,
    reference: String(body['reference']),
    createdAt: String(body['createdAt']),
  };
}

async function pdfOf(of: TestService, path: string, request = {}) {
  const response = await of.fetch(path, request);
  expect([response.status, response.headers.get('content-type')]).toEqual([200, 'application/pdf']);
  return compactText(await readPdf(Buffer.from(await response.arrayBuffer())));
}

/** Puts `count` deposits of a shilling into a wallet. */
async function fill(of: TestService, number: string, count: number): Promise<void> {
  await of.query(`
    SELECT core.post_transactions(
      array_agg('TX' || n), array_agg('DEPOSIT'::text), array_agg('MPESA-FLOAT'::text), array_agg('${number}'::text),
      array_agg(NULL::text), array_agg(1.00), array_agg('KES'::text), array_agg(NULL::text), array_agg(NULL::text),
      array_agg(NULL::uuid)) FROM generate_series(1, ${String(count)}) n`);
}

test('as CSV the whole period comes with its balances, and no text is a formula', async () => {
  const { number, other, receipt, reference, createdAt } = await moveMoney(service);
  for (const path of [`/wallets/${number}/statement`, `/wallets/${number}/statement.csv`]) {
    const response = await service.fetch(path, CSV);
    expect(response.headers.get('content-type')).toBe('text/csv; charset=utf-8');
    const file = `attachment; filename="statement-${number}.csv"`;
    expect(response.headers.get('content-disposition')).toBe(file);
    const lines = (await response.text()).split('\r\n');
    expect(lines[0]).toBe(
      'createdAt,type,reference,direction,counterparty,amount,balanceAfter,currency,narrative',
    );
    expect(lines[1]).toBe(',opening_balance,,,,,0.00,KES,');
    expect(lines[2]).toMatch(new RegExp(`Z,deposit,${receipt},credit,MPESA-FLOAT,100.00,100.00,KES,$`));
    expect(lines[3]).toBe(
      `${createdAt},transfer,${reference},debit,${other},30.00,70.00,KES,"'=cmd, ""Rent"""`,
    );
    expect(lines[4]).toBe(',closing_balance,,,,,70.00,KES,');
  }
});

test('as CSV a period of many pages comes whole', async () => {
  const number = await openCustomer(service.db);
  await fill(service, number, 1201);
  const response = await service.fetch(`/wallets/${number}/statement.csv`);
  const rows = (await response.text())
    .trim()
    .split('\r\n')
    .map((line) => line.split(','));
  expect(rows).toHaveLength(1 + 2 + 1201);
  expect(rows.slice(2, -1).map((row) => row[6])).toEqual(
    Array.from({ length: 1201 }, (_, index) => `${String(index + 1)}.00`),
  );
  expect(rows.at(-1)?.[6]).toBe('1201.00');
});

test('a period that no file has room for is refused, and the answer says so', async () => {
  await using own = await startTestService();
  const number = await openCustomer(own.db);
  await fill(own, number, 10_001);
  const answer = await own.ask(`/wallets/${number}/statement`, CSV);
  expect([answer.status, answer.body['code']]).toEqual([422, 'statement_too_long']);
  expect(answer.body['detail']).toContain('10,000');
});

test('as PDF it names the issuer, the holder and the period in the language of the wallet', async () => {
  await using own = await startTestService({ issuer: ISSUER });
  const holder = { holderName: 'Jane Mwangi', phone: '0700000009', language: 'sw' } as const;
  const { number } = await openWallet(own.db, holder);
  const receipt = await deposit(own.db, { account: number, amount: '1500.00' });
  const path = `/wallets/${number}/statement`;
  for (const text of [await pdfOf(own, path, PDF), await pdfOf(own, `${path}.pdf`)]) {
    for (const shown of ['MwananchiSacco', 'Taarifayapochi', number, 'KES1,500.00', receipt, 'JaneMwangi'])
      expect(text).toContain(shown);
  }
  expect(await pdfOf(own, `${path}.pdf?lang=en`)).toContain('Closingbalance');
});

test('a key that may only read gets the name of the holder masked', async () => {
  const { number } = await moveMoney(service);
  const { key } = await createApiKey(service.db, { name: 'Reader', scopes: ['read'] });
  const text = await pdfOf(service, `/wallets/${number}/statement.pdf`, { key });
  expect(text).toContain('J***M*****');
  expect(text).not.toContain('Mwangi');
});

test.each([
  ['cursor=1', CSV],
  ['limit=5', PDF],
])('a file is whole: ?%s is refused', async (query, request) => {
  const { number } = await moveMoney(service);
  const answer = await service.ask(`/wallets/${number}/statement?${query}`, request);
  expect([answer.status, answer.body['code']]).toEqual([422, 'invalid_request']);
});

test.each(['', '.csv', '.pdf'])(
  'the statement%s of a wallet that nobody has is not found',
  async (extension) => {
    const answer = await service.ask(`/wallets/1000000000/statement${extension}`, {
      headers: { accept: 'text/csv, application/pdf;q=0.5' },
    });
    expect([answer.status, answer.body['code']]).toEqual([404, 'unknown_wallet']);
  },
);

test.each([
  '/wallets/1000000009',
  '/wallets?prefix=100',
  '/wallets/1000000009/balance',
  '/wallets/1000000009/statement',
  '/transactions/DF-000000000000',
  '/holds/00000000-0000-4000-8000-000000000000',
])('%s refuses a form that it does not have', async (path) => {
  const answer = await service.ask(path, { headers: { accept: 'image/png' } });
  expect([answer.status, answer.body['code']]).toEqual([406, 'not_acceptable']);
});

test('money does not move for a caller who could not read the answer', async () => {
  const { number, other } = await moveMoney(service);
  const { headers, ...request } = posting({ from: number, to: other, amount: '1.00' });
  const answer = await service.ask('/transfers', {
    ...request,
    headers: { ...headers, accept: 'text/html' },
  });
  expect([answer.status, answer.body['code']]).toEqual([406, 'not_acceptable']);
  const { body } = await service.ask(`/wallets/${number}/balance`);
  expect(body['balance']).toBe('70.00');
});

test.each(['/health/live', '/health/ready', '/.well-known/jwks.json', '/metrics'])(
  'a probe that wants some other form gets what %s has',
  async (path) => {
    expect((await service.fetch(path, { headers: { accept: 'text/plain' } })).status).toBe(200);
  },
);
