import { hasCheckDigit, newWalletNumber } from '@repo/db';
import type { Db } from '@repo/db';
import { expect, test } from 'vitest';
import { openCustomer, posting, startTestService } from '../testing.ts';
import type { TestRequest, TestService } from '../testing.ts';

/** The number with its last digit changed, so that its check digit is wrong. */
function mistyped(number: string): string {
  const wrong = `${number.slice(0, -1)}${String((Number(number.at(-1)) + 1) % 10)}`;
  expect(hasCheckDigit(wrong)).toBe(false);
  return wrong;
}

/** All of an answer that is not different by nature for every request: its id and the second it was sent. */
async function comparable(service: TestService, path: string, request?: TestRequest) {
  const response = await service.fetch(path, request);
  const headers = [...response.headers].filter(([name]) => name !== 'date' && name !== 'x-request-id');
  const body = (await response.text()).replace(/"requestId":"[0-9a-f-]{36}"/, '"requestId":"-"');
  return { status: response.status, headers, body };
}

const notToBeSeen = (number: string) => [
  newWalletNumber(),
  mistyped(number),
  'MPESA-FLOAT',
  'SUSPENSE',
  'FEES',
  'SUSPENSE.3',
  '0',
  'no number at all',
  '9'.repeat(300),
  '%F0%9F%92%B0',
  '%00',
];

test.each(['', '/balance', '/statement'])(
  'GET /wallets/:number%s answers alike for a number that is free, mistyped, a system wallet or nonsense',
  async (suffix) => {
    await using service = await startTestService();
    const number = await openCustomer(service.db);
    expect((await service.fetch(`/wallets/${number}${suffix}`)).status).toBe(200);
    const [first, ...others] = await Promise.all(
      notToBeSeen(number).map((each) => comparable(service, `/wallets/${each}${suffix}`)),
    );
    expect(first?.status).toBe(404);
    for (const other of others) expect(other).toEqual(first);
  },
);

/** What the service asked its database, and how much it was answered: what an attacker with a clock could see of it. */
function watchDatabase(): { asked: string[]; watched: (db: Db) => Db } {
  const asked: string[] = [];
  const watched = (db: Db): Db => ({
    ...db,
    run: async (statement, values) => {
      const rows = await db.run(statement, values);
      // Those who send SMS are woken now and then, after whatever was committed: it belongs to no request.
      if (statement.name !== 'sms_wake') asked.push(`${statement.name}: ${rows.length} rows`);
      return rows;
    },
  });
  return { asked, watched };
}

/** Routes that name a wallet, each as a request about one number. */
const NAMING: readonly [string, (number: string, own: string) => [path: string, request?: TestRequest]][] = [
  ['GET /wallets/:number', (number) => [`/wallets/${number}`]],
  ['GET /wallets/:number/balance', (number) => [`/wallets/${number}/balance`]],
  ['GET /wallets/:number/statement', (number) => [`/wallets/${number}/statement`]],
  [
    'POST /wallets/:number/freeze',
    (number) => [`/wallets/${number}/freeze`, { method: 'POST', body: { reason: 'asked for' } }],
  ],
  ['POST /transfers to it', (to, from) => ['/transfers', posting({ from, to, amount: '1.00' })]],
  ['POST /transfers from it', (from, to) => ['/transfers', posting({ from, to, amount: '1.00' })]],
  ['POST /holds in it', (wallet) => ['/holds', posting({ wallet, amount: '1.00' })]],
];

test.each(NAMING)(
  '%s takes the same steps and answers the same bytes for a number that is free, mistyped or a system wallet',
  async (_, requestOf) => {
    const { asked, watched } = watchDatabase();
    await using service = await startTestService({}, watched);
    const own = await openCustomer(service.db, '10.00');
    const seen: unknown[] = [];
    for (const number of [newWalletNumber(), mistyped(own), 'MPESA-FLOAT', 'SUSPENSE', 'FEES', 'FEES.15']) {
      const [path, request] = requestOf(number, own);
      asked.length = 0;
      const answer = await comparable(service, path, request);
      seen.push({ asked: [...asked], answer });
    }
    const [first, ...others] = seen;
    expect(first).toMatchObject({
      asked: [expect.any(String)],
      answer: { body: expect.stringContaining('unknown_wallet') as string },
    });
    for (const other of others) expect(other).toEqual(first);
  },
);

test('a look-up asks the database once, also for an existing wallet, whatever its status', async () => {
  const { asked, watched } = watchDatabase();
  await using service = await startTestService({}, watched);
  const [active, frozen, closed] = [
    await openCustomer(service.db),
    await openCustomer(service.db),
    await openCustomer(service.db),
  ];
  const change = { method: 'POST', body: { reason: 'asked for' } } as const;
  await service.fetch(`/wallets/${frozen}/freeze`, change);
  await service.fetch(`/wallets/${closed}/close`, change);
  for (const number of [active, frozen, closed, newWalletNumber()]) {
    asked.length = 0;
    await service.fetch(`/wallets/${number}`);
    expect(asked.map((line) => line.split(':')[0])).toEqual(['wallet_lookup']);
  }
});

test('look-ups of one key are limited, whatever they find, and another key goes on', async () => {
  await using service = await startTestService({ lookupRate: 5 });
  const number = await openCustomer(service.db);
  const other = await service.ask('/api-keys', {
    method: 'POST',
    body: { name: 'till', scopes: ['read'] },
  });
  const statuses = await Promise.all(
    Array.from({ length: 20 }, async () => (await service.fetch(`/wallets/${number}`)).status),
  );
  expect(statuses.filter((status) => status === 200)).toHaveLength(5);
  expect(statuses.filter((status) => status === 429)).toHaveLength(15);

  const limited = await service.ask(`/wallets/${number}`);
  expect(limited.body['code']).toBe('rate_limited');
  const wait = Number(limited.headers.get('retry-after'));
  expect(wait).toBeGreaterThan(0);
  expect(wait).toBeLessThanOrEqual(12);
  const hit = await comparable(service, `/wallets/${number}`);
  const miss = await comparable(service, `/wallets/${newWalletNumber()}`);
  const withoutWait = ({ headers, ...rest }: typeof hit) => ({
    ...rest,
    headers: headers.filter(([name]) => name !== 'retry-after'),
  });
  expect(withoutWait(miss)).toEqual(withoutWait(hit));
  expect((await service.fetch('/wallets?prefix=123')).status).toBe(429);
  const key = String(other.body['key']);
  expect((await service.fetch(`/wallets/${number}`, { key })).status).toBe(200);
  const metrics = await (await service.fetch('/metrics')).text();
  expect(metrics).toMatch(/wallet_rate_limited_total\{service="wallet"\} (?:1[89]|[2-9]\d)/);
});

test('who guesses wallets or references elsewhere is stopped, and who knows them is not held up', async () => {
  await using service = await startTestService({ lookupRate: 3 });
  const from = await openCustomer(service.db, '100.00');
  const to = await openCustomer(service.db);
  const pay = async (receiver: string) =>
    (await service.fetch('/transfers', posting({ from, to: receiver, amount: '1.00' }))).status;
  for (let count = 0; count < 10; count += 1) expect(await pay(to)).toBe(201);
  for (let count = 0; count < 10; count += 1) {
    expect((await service.fetch(`/wallets/${from}/balance`)).status).toBe(200);
  }
  expect(await pay(newWalletNumber())).toBe(422);
  expect((await service.fetch(`/wallets/${newWalletNumber()}/balance`)).status).toBe(404);
  expect((await service.fetch('/transactions/DF-000000000000')).status).toBe(404);
  expect(await pay(newWalletNumber())).toBe(429);
  expect(await pay(to)).toBe(429);
  expect((await service.fetch('/receipts/DF-000000000000')).status).toBe(429);
});
