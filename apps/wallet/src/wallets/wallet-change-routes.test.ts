import { expect, test } from 'vitest';
import { openCustomer, startTestService, useTestService } from '../testing.ts';
import type { TestService } from '../testing.ts';

const service = useTestService();

const patch = (of: TestService, number: string, body: unknown) =>
  of.ask(`/wallets/${number}`, { method: 'PATCH', body });

const eventsOf = (of: TestService) =>
  of.query('SELECT changed, old_value, new_value, actor, reason FROM core.wallet_events ORDER BY changed');

test('an administrator changes holder, phone and language, and the wallet is answered whole', async () => {
  const made = await service.ask('/api-keys', {
    method: 'POST',
    body: { name: 'back office', scopes: ['admin'] },
  });
  const opened = await service.ask('/wallets', {
    method: 'POST',
    body: { holderName: 'Jane Mwangi', phone: '0712345678' },
  });
  const number = String(opened.body['number']);
  const change = { holderName: 'Jane Wanjiru', phone: '0712 345 679', language: 'sw', reason: 'married' };
  const answer = await service.ask(`/wallets/${number}`, {
    method: 'PATCH',
    body: change,
    key: String(made.body['key']),
  });
  expect(answer.status).toBe(200);
  expect(answer.body).toEqual({
    ...opened.body,
    holderName: 'Jane Wanjiru',
    phone: '254712345679',
    language: 'sw',
  });
  const trace = { actor: 'back office', reason: 'married' };
  expect(await eventsOf(service)).toEqual([
    { changed: 'holder_name', old_value: 'Jane Mwangi', new_value: 'Jane Wanjiru', ...trace },
    { changed: 'language', old_value: 'en', new_value: 'sw', ...trace },
    { changed: 'phone', old_value: '254712345678', new_value: '254712345679', ...trace },
  ]);
});

test('a phone can be given up', async () => {
  const number = await openCustomer(service.db);
  const answer = await patch(service, number, { phone: null, reason: 'a lost SIM' });
  expect([answer.status, answer.body['phone']]).toEqual([200, null]);
});

test.each([
  ['nothing to change', { reason: 'x' }, 'invalid_request'],
  ['no reason', { holderName: 'Jane Wanjiru' }, 'invalid_request'],
  ['an unknown field', { minBalance: '-100.00', reason: 'x' }, 'invalid_request'],
  ['a status', { holderName: 'Jane Wanjiru', status: 'closed', reason: 'x' }, 'invalid_request'],
  ['another language', { language: 'fr', reason: 'x' }, 'invalid_request'],
  ['no name', { holderName: null, reason: 'x' }, 'invalid_request'],
  ['a name that is a link', { holderName: 'WIN bit.ly/Z9x', reason: 'x' }, 'invalid_wallet'],
  ['an invalid phone', { phone: 'call me', reason: 'x' }, 'invalid_wallet'],
])('a change with %s is refused', async (_what, body, code) => {
  const number = await openCustomer(service.db);
  const before = await eventsOf(service);
  const answer = await patch(service, number, body);
  expect([answer.status, answer.body['code']]).toEqual([422, code]);
  expect(await eventsOf(service)).toEqual(before);
});

test.each(['1000000000', 'MPESA-FLOAT', 'SUSPENSE', '9'.repeat(300), '%00'])(
  'the wallet %s is not there to be changed',
  async (number) => {
    const answer = await patch(service, number, { holderName: 'Jane Wanjiru', reason: 'x' });
    expect([answer.status, answer.body['code']]).toEqual([404, 'unknown_wallet']);
  },
);

test('a closed wallet stays as it is', async () => {
  const number = await openCustomer(service.db);
  await service.ask(`/wallets/${number}/close`, { method: 'POST', body: { reason: 'x' } });
  const answer = await patch(service, number, { holderName: 'Jane Wanjiru', reason: 'x' });
  expect([answer.status, answer.body['code']]).toEqual([422, 'wallet_closed']);
});

test('a status change is written down with the key that wanted it', async () => {
  await using own = await startTestService();
  const number = await openCustomer(own.db);
  await own.ask(`/wallets/${number}/freeze`, { method: 'POST', body: { reason: 'a lost phone' } });
  expect(await eventsOf(own)).toEqual([
    {
      changed: 'status',
      old_value: 'ACTIVE',
      new_value: 'FROZEN',
      actor: 'configured-1',
      reason: 'a lost phone',
    },
  ]);
});
