import { randomUUID } from 'node:crypto';
import { createApiKey, freezeWallet, reverseTransaction } from '@repo/db';
import type { Scope } from '@repo/db';
import { confirmationOf, createPayment, createRandom, sendConfirmation } from '@repo/simulator';
import { expect, test } from 'vitest';
import { getDeposit, openCustomerWallet, TEST_KEY, startTestService, useTestService } from './testing.ts';
import type { TestService } from './testing.ts';

const service = useTestService();

const random = createRandom('suspense-routes.test');

interface Asked {
  readonly key?: string | null;
  readonly body?: unknown;
  readonly idempotencyKey?: string | null;
}

async function ask({ url }: TestService, path: string, asked: Asked = {}) {
  const { key = TEST_KEY, body, idempotencyKey = randomUUID() } = asked;
  const response = await fetch(`${url}${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: {
      ...(key === null ? {} : { authorization: `Bearer ${key}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(idempotencyKey === null ? {} : { 'idempotency-key': idempotencyKey }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

/** A payment to an account that leads nowhere, as M-PESA reports it; its receipt. */
async function payAstray(
  of: TestService,
  amount = '150.00',
  more: Parameters<typeof createPayment>[1] = {},
): Promise<string> {
  const payment = createPayment(random, { account: 'RENT 4B', amount, ...more });
  expect(await sendConfirmation(of.target, confirmationOf(payment, 'masked'))).toMatchObject({
    accepted: true,
  });
  return payment.receipt;
}

async function receiptsOf(of: TestService, query = ''): Promise<unknown[]> {
  const { body } = await ask(of, `/suspense${query}`);
  return (body['items'] as { receipt: string }[]).map(({ receipt }) => receipt);
}

async function keyWith(of: TestService, scope: Scope): Promise<string> {
  return (await createApiKey(of.db, { name: scope, scopes: [scope] })).key;
}

test('a payment to an account that leads nowhere waits until it is assigned, and not afterwards', async () => {
  await using own = await startTestService();
  const wallet = await openCustomerWallet(own.db);
  const receipt = await payAstray(own);
  const { status, body } = await ask(own, '/suspense');
  expect(status).toBe(200);
  expect(body).toEqual({
    items: [
      {
        receipt,
        amount: '150.00',
        remaining: '150.00',
        currency: 'KES',
        paidAt: expect.stringMatching(/Z$/) as string,
        createdAt: expect.stringMatching(/Z$/) as string,
        account: 'RENT 4B',
        phone: expect.stringMatching(/^2547 \*{5} \d{3}$/) as string,
        payerName: expect.any(String) as string,
        reason: 'unknown_account',
        suggestions: [],
        ageSeconds: expect.any(Number) as number,
        refund: null,
        assignment: null,
      },
    ],
    nextCursor: null,
  });

  const assigning = { body: { wallet }, idempotencyKey: randomUUID() };
  const first = await ask(own, `/suspense/${receipt.toLowerCase()}/assignment`, assigning);
  expect(first.status).toBe(201);
  expect(first.body).toEqual({
    receipt,
    reference: `AS-${receipt}`,
    wallet,
    amount: '150.00',
    currency: 'KES',
    createdAt: expect.stringMatching(/Z$/) as string,
    verificationHash: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
  });
  expect(await ask(own, `/suspense/${receipt}/assignment`, assigning)).toEqual({ ...first, status: 200 });
  expect(await receiptsOf(own)).toEqual([]);
  expect((await ask(own, '/suspense?status=ALL')).body['items']).toMatchObject([
    { receipt, assignment: { reference: `AS-${receipt}`, wallet } },
  ]);
});

test('a late repeat does not assign a payment again that was taken back meanwhile', async () => {
  await using own = await startTestService();
  const wallet = await openCustomerWallet(own.db);
  const receipt = await payAstray(own);
  const assigning = { body: { wallet }, idempotencyKey: randomUUID() };
  const first = await ask(own, `/suspense/${receipt}/assignment`, assigning);
  await reverseTransaction(own.db, { reference: `AS-${receipt}`, idempotencyKey: randomUUID() });
  expect(await ask(own, `/suspense/${receipt}/assignment`, assigning)).toEqual({ ...first, status: 200 });
  expect(await receiptsOf(own)).toEqual([receipt]);
});

test('the list comes in pages', async () => {
  await using own = await startTestService();
  const receipts: string[] = [];
  for (let count = 0; count < 3; count += 1) receipts.push(await payAstray(own));
  const first = await ask(own, '/suspense?limit=2');
  expect((first.body['items'] as unknown[]).length).toBe(2);
  const cursor = String(first.body['nextCursor']);
  expect(await receiptsOf(own, `?limit=2&cursor=${cursor}`)).toEqual([receipts[0]]);
});

test('the list is searched by receipt, account, amount, name and age', async () => {
  await using own = await startTestService();
  const named = { firstName: "ACHIENG ONG'UDI" };
  const [first, second] = [
    await payAstray(own, '150.00', named),
    await payAstray(own, '175.50', { account: 'shop 7%', firstName: 'MUTUA' }),
  ];
  const assigned = await payAstray(own, '150.00', named);
  const wallet = await openCustomerWallet(own.db);
  await ask(own, `/suspense/${assigned}/assignment`, { body: { wallet, reason: 'The payer called.' } });
  expect(await receiptsOf(own, `?receipt=${first.toLowerCase()}`)).toEqual([first]);
  expect(await receiptsOf(own, `?receipt=${assigned}`)).toEqual([]);
  expect(await receiptsOf(own, `?receipt=${assigned}&status=all`)).toEqual([assigned]);
  expect(await receiptsOf(own, '?account=Shop')).toEqual([second]);
  expect(await receiptsOf(own, `?account=${encodeURIComponent('7%')}`)).toEqual([second]);
  expect(await receiptsOf(own, '?account=nobody')).toEqual([]);
  expect(await receiptsOf(own, '?amount=150')).toEqual([first]);
  expect(await receiptsOf(own, '?amount=175.50&account=shop')).toEqual([second]);
  expect(await receiptsOf(own, '?name=ongudi%20achie')).toEqual([first]);
  expect(await receiptsOf(own, '?name=achieng%20mutua')).toEqual([]);
  expect(await receiptsOf(own, '?minAgeHours=0')).toEqual([second, first]);
  expect(await receiptsOf(own, '?minAgeHours=1')).toEqual([]);
  expect(await receiptsOf(own, '?from=2020-01-01&to=2020-01-02')).toEqual([]);
  expect((await ask(own, '/suspense?amount=lots')).body['code']).toBe('invalid_amount');

  const read = await keyWith(own, 'read');
  const { body, status } = await ask(own, `/suspense?receipt=${first}`, { key: read });
  expect([status, JSON.stringify(body)]).toEqual([200, expect.not.stringMatching(/ACHIENG|RENT/) as string]);
  for (const query of ['?account=RENT', '?name=achieng']) {
    expect((await ask(own, `/suspense${query}`, { key: read })).status).toBe(403);
  }
});

test('an assignment says who made it and why, once, and without a reason who alone', async () => {
  await using own = await startTestService();
  const wallet = await openCustomerWallet(own.db);
  const [told, untold] = [await payAstray(own), await payAstray(own)];
  const { key } = await createApiKey(own.db, { name: 'desk of Ann', scopes: ['admin'] });
  const idempotencyKey = randomUUID();
  for (const of of [idempotencyKey, idempotencyKey, randomUUID()]) {
    const body = { wallet, reason: 'The payer called.' };
    await ask(own, `/suspense/${told}/assignment`, { key, body, idempotencyKey: of });
  }
  await ask(own, `/suspense/${untold}/assignment`, { key, body: { wallet } });
  const decisionsOf = async (receipt: string) =>
    ((await (await getDeposit(own, receipt)).json()) as { decisions: unknown }).decisions;
  const decided = { decision: 'assigned', decidedBy: 'desk of Ann', reference: `AS-${told}` };
  expect(await decisionsOf(told)).toMatchObject([{ ...decided, reason: 'The payer called.' }]);
  expect(await decisionsOf(untold)).toMatchObject([{ ...decided, reason: null, reference: `AS-${untold}` }]);
  const blank = { body: { wallet, reason: ' ' } };
  expect((await ask(own, `/suspense/${told}/assignment`, blank)).status).toBe(422);
});

test('what cannot be assigned is refused, says why and moves nothing', async () => {
  await using own = await startTestService();
  const [wallet, other, frozen] = [
    await openCustomerWallet(own.db),
    await openCustomerWallet(own.db, '254700000127'),
    await openCustomerWallet(own.db, '254700000128'),
  ];
  await freezeWallet(own.db, { wallet: frozen, reason: 'a lost phone' });
  const receipt = await payAstray(own);
  const assign = async (to: unknown, of = receipt, idempotencyKey: string | null = randomUUID()) => {
    const answer = await ask(own, `/suspense/${of}/assignment`, { body: { wallet: to }, idempotencyKey });
    return [answer.status, answer.body['code']];
  };
  expect(await assign('1000000000')).toEqual([422, 'unknown_wallet']);
  expect(await assign('MPESA-FLOAT')).toEqual([422, 'unknown_wallet']);
  expect(await assign(frozen)).toEqual([422, 'wallet_frozen']);
  expect(await assign('')).toEqual([422, 'invalid_request']);
  expect(await assign(5)).toEqual([422, 'invalid_request']);
  expect(await assign(wallet, 'NEVERSEEN1')).toEqual([404, 'unknown_transaction']);
  expect(await assign(wallet, 'no receipt')).toEqual([404, 'unknown_transaction']);
  expect(await assign(wallet, receipt, null)).toEqual([400, 'idempotency_key_required']);
  expect(await receiptsOf(own)).toEqual([receipt]);

  const key = randomUUID();
  expect((await assign(wallet, receipt, key))[0]).toBe(201);
  expect(await assign(other, receipt, key)).toEqual([409, 'key_reused']);
  expect(await assign(other)).toEqual([409, 'already_assigned']);
  const paid = createPayment(random, { account: wallet, amount: '10.00' });
  await sendConfirmation(own.target, confirmationOf(paid, 'masked'));
  expect(await assign(wallet, paid.receipt)).toEqual([422, 'not_in_suspense']);
  const returned = await payAstray(own);
  await reverseTransaction(own.db, { reference: returned, idempotencyKey: randomUUID() });
  expect(await assign(wallet, returned)).toEqual([409, 'already_reversed']);
});

test('reading takes the scope read and assigning the scope admin', async () => {
  const receipt = await payAstray(service);
  const body = { wallet: await openCustomerWallet(service.db) };
  const path = `/suspense/${receipt}/assignment`;
  const [read, transact, admin] = [
    await keyWith(service, 'read'),
    await keyWith(service, 'transact'),
    await keyWith(service, 'admin'),
  ];
  expect((await ask(service, '/suspense', { key: null })).status).toBe(401);
  expect((await ask(service, '/suspense', { key: 'unknown' })).status).toBe(401);
  expect((await ask(service, '/suspense', { key: read })).status).toBe(200);
  expect((await ask(service, `/deposits/${receipt}`, { key: read })).status).toBe(200);
  expect((await ask(service, path, { body, key: read })).status).toBe(403);
  expect((await ask(service, path, { body, key: transact })).status).toBe(403);
  expect((await ask(service, path, { body, key: null })).status).toBe(401);
  expect((await ask(service, path, { body, key: admin })).status).toBe(201);
});

test.each([
  '?receipt=',
  '?account=',
  '?name=--',
  '?minAgeHours=-1',
  '?from=2020-01-02&to=2020-01-01',
  '?limit=0',
  '?limit=201',
  '?cursor=x',
  '?status=old',
  '?page=2',
])('GET /suspense%s is refused', async (query) => {
  const { status, body } = await ask(service, `/suspense${query}`);
  expect([status, body['code']]).toEqual([422, 'invalid_request']);
});
