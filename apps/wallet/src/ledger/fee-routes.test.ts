import { randomUUID } from 'node:crypto';
import { createApiKey } from '@repo/db';
import { expect, test } from 'vitest';
import { openCustomer, posting, startTestService, useTestService } from '../testing.ts';

const service = useTestService();

const rule = (facts: Readonly<Record<string, unknown>> = {}) =>
  posting({ type: 'transfer', flat: '3', reason: 'the new tariff', ...facts });

const TOMORROW = new Date(Date.now() + 86_400_000).toISOString();
const YESTERDAY = new Date(Date.now() - 86_400_000).toISOString();

test('a rule is set once for its key, listed with who set it, and charged', async () => {
  const { key } = await createApiKey(service.db, { name: 'finance', scopes: ['admin', 'read', 'transact'] });
  const request = { ...rule({ rate: '0.01', minAmount: '10', payer: 'SENDER' }), key };
  const first = await service.ask('/fee-rules', request);
  expect(first.status).toBe(201);
  expect(first.body).toEqual({
    id: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
    type: 'transfer',
    currency: 'KES',
    minAmount: '10.00',
    flat: '3.00',
    rate: '0.010000',
    payer: 'sender',
    validFrom: expect.stringMatching(/Z$/) as string,
    validUntil: null,
  });
  const again = await service.ask('/fee-rules', request);
  expect([again.status, again.body]).toEqual([200, first.body]);
  const listed = await service.ask('/fee-rules');
  const history = [
    { kind: 'set', validUntil: null, by: 'finance', reason: 'the new tariff', at: first.body['validFrom'] },
  ].map((event) => ({ ...event, at: expect.stringMatching(/Z$/) as string }));
  expect(listed.body).toEqual({ items: [{ ...first.body, history }], nextCursor: null });
  const [from, to] = [await openCustomer(service.db, '100.00'), await openCustomer(service.db)];
  const sent = await service.ask('/transfers', posting({ from, to, amount: '50.00' }));
  expect(sent.body).toMatchObject({ fee: '3.50', balanceAfter: '46.50' });
});

test('a quote says what a transfer, a withdrawal and a hold would cost', async () => {
  await using own = await startTestService();
  const transfer = await own.ask('/fee-rules', rule({ payer: 'receiver' }));
  await own.ask('/fee-rules', rule({ type: 'withdrawal', flat: '9.00' }));
  const quote = async (type: string) => (await own.ask(`/fees?type=${type}&amount=50`)).body;
  const ruleId = transfer.body['id'];
  expect(await quote('transfer')).toEqual({
    type: 'transfer',
    amount: '50.00',
    fee: '3.00',
    payer: 'receiver',
    ruleId,
    total: '50.00',
  });
  expect(await quote('WITHDRAWAL')).toMatchObject({ fee: '9.00', payer: 'sender', total: '59.00' });
  expect(await quote('hold')).toMatchObject({ fee: '9.00', payer: 'sender', ruleId: null, total: '59.00' });
  expect((await own.ask(`/fees?type=hold&amount=50&at=${YESTERDAY}`)).body).toMatchObject({
    fee: '0.00',
    payer: null,
    total: '50.00',
  });
});

test('a rule is ended, and another one planned and found at its time', async () => {
  await using own = await startTestService();
  const { body: first } = await own.ask('/fee-rules', rule());
  const end = { method: 'POST', body: { reason: 'free again' } } as const;
  const ended = await own.ask(`/fee-rules/${String(first['id'])}/end`, end);
  expect(ended.status).toBe(200);
  expect(ended.body['validUntil']).not.toBeNull();
  expect((await own.ask(`/fee-rules/${String(first['id'])}/end`, end)).body).toEqual(ended.body);
  const { body: planned } = await own.ask('/fee-rules', rule({ validFrom: TOMORROW, flat: '4.00' }));
  expect((await own.ask('/fee-rules')).body['items']).toEqual([]);
  expect((await own.ask(`/fee-rules?at=${TOMORROW}`)).body['items']).toMatchObject([{ id: planned['id'] }]);
  expect((await own.ask('/fee-rules?all=true')).body['items']).toMatchObject([
    { id: first['id'], history: [{ kind: 'set' }, { kind: 'ended', reason: 'free again' }] },
    { id: planned['id'] },
  ]);
});

test('rules can be had as CSV', async () => {
  await using own = await startTestService();
  const { body } = await own.ask('/fee-rules', rule());
  const response = await own.fetch('/fee-rules', { headers: { accept: 'text/csv' } });
  expect(response.headers.get('content-type')).toContain('text/csv');
  const [header, line] = (await response.text()).split('\r\n');
  expect(header).toBe('id,type,currency,minAmount,flat,rate,payer,validFrom,validUntil');
  expect(line).toBe(
    `${String(body['id'])},transfer,KES,0.00,3.00,0.000000,sender,${String(body['validFrom'])},`,
  );
});

test.for([
  [{ validFrom: YESTERDAY }, 422, 'time_passed'],
  [{ rate: '1' }, 422, 'invalid_request'],
  [{ flat: '-1' }, 422, 'invalid_request'],
  [{ type: 'deposit' }, 422, 'invalid_request'],
  [{ reason: '' }, 422, 'invalid_request'],
] as const)('a rule with %j is refused', async ([facts, status, code]) => {
  await using own = await startTestService();
  const refused = await own.ask('/fee-rules', rule(facts));
  expect([refused.status, refused.body['code']]).toEqual([status, code]);
});

test('a rule that meets a planned one, or an unknown one, is refused', async () => {
  await service.ask('/fee-rules', rule({ validFrom: TOMORROW }));
  const planned = await service.ask('/fee-rules', rule());
  expect([planned.status, planned.body['code']]).toEqual([409, 'fee_rule_planned']);
  const end = { method: 'POST', body: { reason: 'why' } } as const;
  const unknown = await service.ask(`/fee-rules/${randomUUID()}/end`, end);
  expect([unknown.status, unknown.body['code']]).toEqual([404, 'unknown_fee_rule']);
});

test('fees are set by administrators, with a key for the request, and read by everybody with a key', async () => {
  const { key } = await createApiKey(service.db, { name: 'till', scopes: ['read', 'transact'] });
  expect((await service.ask('/fee-rules', { ...rule(), key })).status).toBe(403);
  expect(
    (await service.ask('/fee-rules/x/end', { method: 'POST', body: { reason: 'why' }, key })).status,
  ).toBe(403);
  expect((await service.ask('/fee-rules', { method: 'POST', body: rule().body })).status).toBe(400);
  expect((await service.ask('/fee-rules', { key })).status).toBe(200);
  expect((await service.ask('/fees?type=hold&amount=1', { key })).status).toBe(200);
  expect((await service.ask('/fees?type=hold&amount=1', { key: null })).status).toBe(401);
});
