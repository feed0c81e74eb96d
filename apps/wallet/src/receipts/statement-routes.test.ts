import { expect, test } from 'vitest';
import { z } from 'zod';
import { deposit, openCustomer, posting, useTestService } from '../testing.ts';
import type { TestService } from '../testing.ts';

const service = useTestService();

const pageSchema = z.object({
  openingBalance: z.string(),
  closingBalance: z.string(),
  items: z.array(z.looseObject({ reference: z.string(), createdAt: z.string(), amount: z.string() })),
  nextCursor: z.string().nullable(),
});

type Page = z.output<typeof pageSchema>;

async function statementOf(of: TestService, number: string, query = '') {
  const { status, body } = await of.ask(`/wallets/${number}/statement${query}`);
  expect(status).toBe(200);
  return pageSchema.parse(body);
}

test('a statement shows what went in and out with the balance after each, oldest first', async () => {
  const number = await openCustomer(service.db);
  const other = await openCustomer(service.db);
  const receipt = await deposit(service.db, { account: number, amount: '100.00' });
  const paid = await service.ask(
    '/transfers',
    posting({ from: number, to: other, amount: '30.00', narrative: 'Rent' }),
  );
  const statement = await service.ask(`/wallets/${number}/statement`);
  expect(statement.body).toEqual({
    wallet: number,
    currency: 'KES',
    openingBalance: '0.00',
    closingBalance: '70.00',
    items: [
      {
        reference: receipt,
        type: 'deposit',
        direction: 'credit',
        counterparty: 'MPESA-FLOAT',
        amount: '100.00',
        balanceAfter: '100.00',
        createdAt: expect.stringMatching(/Z$/) as string,
        narrative: null,
      },
      {
        reference: paid.body['reference'],
        type: 'transfer',
        direction: 'debit',
        counterparty: other,
        amount: '30.00',
        balanceAfter: '70.00',
        createdAt: paid.body['createdAt'],
        narrative: 'Rent',
      },
    ],
    nextCursor: null,
  });
});

test('pages follow each other without a gap or a repeat, also when money moves between them', async () => {
  const number = await openCustomer(service.db);
  const receipts: string[] = [];
  for (let count = 0; count < 5; count += 1)
    receipts.push(await deposit(service.db, { account: number, amount: '1.00' }));
  const seen: string[] = [];
  let cursor: string | null = null;
  do {
    const query = cursor === null ? '?limit=2' : `?limit=2&cursor=${cursor}`;
    const page: Page = await statementOf(service, number, query);
    seen.push(...page.items.map(({ reference }) => reference));
    if (cursor === null) receipts.push(await deposit(service.db, { account: number, amount: '1.00' }));
    cursor = page.nextCursor;
  } while (cursor !== null);
  expect(seen).toEqual(receipts);
});

test('a period begins with its first moment and ends before its last, and its balances are those of then', async () => {
  const number = await openCustomer(service.db);
  for (const amount of ['1.00', '20.00', '300.00']) await deposit(service.db, { account: number, amount });
  const { items } = await statementOf(service, number);
  const [, second, third] = items.map(({ createdAt }) => createdAt);
  const page = await statementOf(service, number, `?from=${String(second)}&to=${String(third)}`);
  expect(page).toMatchObject({
    openingBalance: '1.00',
    closingBalance: '21.00',
    items: [{ amount: '20.00' }],
  });
});

test('a time may have an offset, and a + that was not encoded is understood', async () => {
  const number = await openCustomer(service.db);
  await deposit(service.db, { account: number, amount: '1.00' });
  for (const from of [
    '2020-01-01T00:00:00%2B03:00',
    '2020-01-01T00:00:00+03:00',
    '2020-01-01T00:00:00-03:00',
  ]) {
    expect((await statementOf(service, number, `?from=${from}`)).items).toHaveLength(1);
  }
});

test.each([
  'from=2026-03-01',
  'from=yesterday',
  'to=2026-02-30T00:00:00Z',
  'from=0000-01-01T00:00:00%2B03:00',
  'to=9999-12-31T23:59:59-03:00',
  'limit=0',
  'limit=501',
  'limit=ten',
  'cursor=there',
  'page=2',
])('?%s is refused', async (query) => {
  const number = await openCustomer(service.db);
  const answer = await service.ask(`/wallets/${number}/statement?${query}`);
  expect([answer.status, answer.body['code']]).toEqual([422, 'invalid_request']);
});
