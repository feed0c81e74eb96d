import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import {
  addFeeRule,
  balanceOf,
  openCustomer,
  posting,
  startTestService,
  useTestService,
} from '../testing.ts';

const service = useTestService();

const uuid = () => randomUUID();

test('a transfer moves the money and answers 201 with its reference, and the receipt adds up', async () => {
  const from = await openCustomer(service.db, '1500.00');
  const to = await openCustomer(service.db);
  const answer = await service.ask('/transfers', posting({ from, to, amount: '250.50', narrative: 'Rent' }));
  expect(answer.status).toBe(201);
  expect(answer.body).toEqual({
    reference: expect.stringMatching(/^DF-[0-9A-Z]{12}$/) as string,
    type: 'transfer',
    from,
    to,
    amount: '250.50',
    currency: 'KES',
    fee: '0.00',
    balanceAfter: '1249.50',
    createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) as string,
    verificationHash: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
  });
  expect(await balanceOf(service, from)).toBe('1249.50');
  expect(await balanceOf(service, to)).toBe('250.50');
});

test('a repeat with its key answers the same with 200 and moves nothing', async () => {
  const from = await openCustomer(service.db, '100.00');
  const to = await openCustomer(service.db);
  const request = posting({ from, to, amount: '60.00' });
  const first = await service.ask('/transfers', request);
  const again = await service.ask('/transfers', request);
  expect([first.status, again.status]).toEqual([201, 200]);
  expect(again.body).toEqual(first.body);
  expect(await balanceOf(service, from)).toBe('40.00');
});

test('a key that comes back with another request is a conflict and moves nothing', async () => {
  const from = await openCustomer(service.db, '100.00');
  const to = await openCustomer(service.db);
  const key = uuid();
  await service.ask('/transfers', posting({ from, to, amount: '60.00' }, key));
  const other = await service.ask('/transfers', posting({ from, to, amount: '10.00' }, key));
  expect(other.status).toBe(409);
  expect(other.body).toMatchObject({ code: 'key_reused', type: '/problems/key_reused' });
  expect(await balanceOf(service, from)).toBe('40.00');
});

test('a refusal stays a refusal for its key, also when the money has come', async () => {
  const from = await openCustomer(service.db);
  const rich = await openCustomer(service.db, '500.00');
  const request = posting({ from, to: rich, amount: '100.00' });
  const refused = await service.ask('/transfers', request);
  expect(refused.status).toBe(422);
  expect(refused.body['code']).toBe('insufficient_funds');
  await service.ask('/transfers', posting({ from: rich, to: from, amount: '300.00' }));
  expect((await service.ask('/transfers', request)).body['code']).toBe('insufficient_funds');
  expect(await balanceOf(service, from)).toBe('300.00');
});

test('without a usable idempotency key nothing is read, let alone moved', async () => {
  const from = await openCustomer(service.db, '100.00');
  const to = await openCustomer(service.db);
  const body = { from, to, amount: '60.00' };
  const bad: (string | null)[] = [null, '', 'two words', 'x'.repeat(256), 'café'];
  for (const key of bad) {
    const headers: Record<string, string> = key === null ? {} : { 'idempotency-key': key };
    const answer = await service.ask('/transfers', { method: 'POST', body, headers });
    expect(answer.status).toBe(400);
    expect(answer.body['code']).toBe('idempotency_key_required');
  }
  expect(await balanceOf(service, from)).toBe('100.00');
});

test.each([
  ['same_wallet', (from: string) => ({ from, to: from, amount: '1.00' })],
  ['unknown_wallet', (from: string) => ({ from, to: '1000000000', amount: '1.00' })],
  ['unknown_wallet', (from: string) => ({ from: '1000000000', to: from, amount: '1.00' })],
  ['insufficient_funds', (from: string, to: string) => ({ from, to, amount: '100.01' })],
  ['currency_mismatch', (from: string, to: string) => ({ from, to, amount: '1.00', currency: 'USD' })],
] as const)('%s is refused with 422 and moves nothing', async (code, bodyOf) => {
  await using own = await startTestService();
  const from = await openCustomer(own.db, '100.00');
  const to = await openCustomer(own.db);
  const answer = await own.ask('/transfers', posting(bodyOf(from, to)));
  expect(answer.status).toBe(422);
  expect(answer.headers.get('content-type')).toContain('application/problem+json');
  expect(answer.body).toMatchObject({ code, status: 422, type: `/problems/${code}` });
  expect(await balanceOf(own, from)).toBe('100.00');
});

test.each([
  ['0.00', 'zero'],
  ['-1.00', 'negative'],
  ['1.005', 'too_many_decimals'],
  ['1e3', 'malformed'],
  ['1,000.00', 'malformed'],
  ['', 'malformed'],
  ['100000000000000000.00', 'too_large'],
])('the amount "%s" is refused with the reason %s and moves nothing', async (amount, reason) => {
  const from = await openCustomer(service.db, '100.00');
  const to = await openCustomer(service.db);
  const answer = await service.ask('/transfers', posting({ from, to, amount }));
  expect(answer.status).toBe(422);
  expect(answer.body).toMatchObject({
    code: 'invalid_amount',
    reason,
    type: '/problems/invalid_amount',
  });
  expect(answer.body['detail']).toMatch(/^The amount/);
  expect(await balanceOf(service, from)).toBe('100.00');
});

test.each(['MPESA-FLOAT', 'SUSPENSE', 'FEES', 'MPESA-FLOAT.9'])(
  'no money comes out of the system wallet %s and none goes into it: to callers it does not exist',
  async (system) => {
    const customer = await openCustomer(service.db, '100.00');
    const out = await service.ask('/transfers', posting({ from: system, to: customer, amount: '5.00' }));
    const into = await service.ask('/transfers', posting({ from: customer, to: system, amount: '5.00' }));
    expect([out.status, out.body['code']]).toEqual([422, 'unknown_wallet']);
    expect([into.status, into.body['code']]).toEqual([422, 'unknown_wallet']);
    expect(await balanceOf(service, customer)).toBe('100.00');
  },
);

test('a frozen wallet neither pays nor is paid, and a closed one is closed', async () => {
  const from = await openCustomer(service.db, '100.00');
  const to = await openCustomer(service.db);
  const reason = { method: 'POST', body: { reason: 'asked for by its holder' } } as const;
  const codeOf = async (body: unknown) => (await service.ask('/transfers', posting(body))).body['code'];
  await service.ask(`/wallets/${from}/freeze`, reason);
  expect(await codeOf({ from, to, amount: '1.00' })).toBe('wallet_frozen');
  await service.ask(`/wallets/${from}/unfreeze`, reason);
  await service.ask(`/wallets/${to}/close`, reason);
  expect(await codeOf({ from, to, amount: '1.00' })).toBe('wallet_closed');
  expect(await balanceOf(service, from)).toBe('100.00');
});

test('a refusal for its currency is remembered under its key like any other', async () => {
  const from = await openCustomer(service.db, '100.00');
  const to = await openCustomer(service.db);
  const abroad = posting({ from, to, amount: '1.00', currency: 'USD' });
  expect((await service.ask('/transfers', abroad)).body['code']).toBe('currency_mismatch');
  const home = await service.ask('/transfers', { ...abroad, body: { from, to, amount: '1.00' } });
  expect([home.status, home.body['code']]).toEqual([409, 'key_reused']);
  expect(await balanceOf(service, from)).toBe('100.00');
});

test('an amount as a JSON number is refused with the reason why', async () => {
  const from = await openCustomer(service.db, '100.00');
  const to = await openCustomer(service.db);
  const answer = await service.ask('/transfers', posting({ from, to, amount: 1.5 }));
  expect(answer.status).toBe(422);
  expect(answer.body).toMatchObject({
    code: 'invalid_amount',
    reason: 'malformed',
    findings: [{ where: 'body/amount', what: expect.stringContaining('as a string') as string }],
  });
});

test.each([
  ['an unknown field', { ammount: '1.00' }, 'ammount'],
  ['a missing wallet', { to: undefined }, 'body/to'],
  ['a wallet that is a number', { to: 1_234_567_890 }, 'body/to'],
  ['a wallet of half a character', { to: '\ud800' }, 'body/to'],
  ['a narrative with NUL', { narrative: 'a\0b' }, 'body/narrative'],
])('%s is refused by name', async (_what, change, named) => {
  const from = await openCustomer(service.db, '100.00');
  const to = await openCustomer(service.db);
  const answer = await service.ask('/transfers', posting({ from, to, amount: '1.00', ...change }));
  expect(answer.status).toBe(422);
  expect(answer.body['code']).toBe('invalid_request');
  expect(JSON.stringify(answer.body['findings'])).toContain(named);
});

test('a fee that a rule asks for is on top, and the answer says so, also the repeated one', async () => {
  const from = await openCustomer(service.db, '100.00');
  const to = await openCustomer(service.db);
  await addFeeRule(service, 'TRANSFER');
  const request = posting({ from, to, amount: '10.00' });
  const first = await service.ask('/transfers', request);
  expect(first.body).toMatchObject({ amount: '10.00', fee: '3.00', balanceAfter: '87.00' });
  const again = await service.ask('/transfers', request);
  expect(again.status).toBe(200);
  expect(again.body).toEqual(first.body);
  const tooMuch = await service.ask('/transfers', posting({ from, to, amount: '87.00' }));
  expect(tooMuch.body['code']).toBe('insufficient_funds');
  expect(await balanceOf(service, from)).toBe('87.00');
  expect(await balanceOf(service, to)).toBe('10.00');
});

test('200 callers with one key and request move the money once and all hear the same', async () => {
  const from = await openCustomer(service.db, '100.00');
  const to = await openCustomer(service.db);
  const request = posting({ from, to, amount: '1.00' });
  const answers = await Promise.all(Array.from({ length: 200 }, () => service.ask('/transfers', request)));
  expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(199);
  expect(new Set(answers.map(({ body }) => JSON.stringify(body))).size).toBe(1);
  expect(await balanceOf(service, to)).toBe('1.00');
});

test('many callers cannot together spend more than the balance', async () => {
  await using own = await startTestService();
  const from = await openCustomer(own.db, '10.00');
  const to = await openCustomer(own.db);
  const answers = await Promise.all(
    Array.from({ length: 60 }, () => own.ask('/transfers', posting({ from, to, amount: '0.25' }))),
  );
  expect(answers.filter(({ status }) => status === 201)).toHaveLength(40);
  const refused = answers.filter(({ status }) => status === 422);
  expect(new Set(refused.map(({ body }) => body['code']))).toEqual(new Set(['insufficient_funds']));
  expect(await balanceOf(own, from)).toBe('0.00');
  expect(await balanceOf(own, to)).toBe('10.00');
});

test('transfers are counted by what became of them, and no wallet, name or narrative is in the metrics or the log', async () => {
  await using own = await startTestService();
  const from = await openCustomer(own.db, '100.00', 'Wanjiku Kamau');
  const to = await openCustomer(own.db);
  const request = posting({ from, to, amount: '60.00', narrative: 'for the surgery' });
  await own.ask('/transfers', request);
  await own.ask('/transfers', request);
  await own.ask('/transfers', posting({ from, to, amount: '60.00' }));
  await own.ask(`/wallets/${from}`);
  await own.ask(`/wallets/${from}/statement`);
  await own.ask('/wallets?phone=0712345678');
  await own.ask('/wallets', {
    method: 'POST',
    body: { holderName: 'Wanjiku Kamau', phone: '07 is wrong' },
  });
  const metrics = await (await own.fetch('/metrics')).text();
  for (const outcome of ['posted', 'replayed', 'insufficient_funds']) {
    expect(metrics).toContain(`wallet_transfers_total{outcome="${outcome}",service="wallet"} 1`);
  }
  for (const text of [from, to, 'Wanjiku', 'surgery', '0712345678', '07 is wrong', 'test-key']) {
    expect(metrics).not.toContain(text);
    expect(own.lines.join('')).not.toContain(text);
  }
});
