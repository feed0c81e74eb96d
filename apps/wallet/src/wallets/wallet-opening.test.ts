import { expect, test } from 'vitest';
import { deposit, posting, useTestService } from '../testing.ts';

const service = useTestService();

const WALLET = { holderName: 'Jane Mwangi', phone: '0712 345 678' };

test('a repeated request opens one wallet, and the customer is still found by phone', async () => {
  const request = posting(WALLET, 'opening-1');
  const first = await service.ask('/wallets', request);
  const repeat = await service.ask('/wallets', request);
  expect([first.status, repeat.status]).toEqual([201, 200]);
  expect(repeat.body).toEqual(first.body);
  // With a second wallet of this phone the payment would wait in suspense.
  await deposit(service.db, { account: '254712345678', amount: '10.00' });
  expect((await service.ask('/wallets', request)).body).toEqual({ ...first.body, balance: '10.00' });
});

test.each([
  ['holderName', { holderName: 'Jane Wanjiru' }],
  ['phone', { phone: '0712345679' }],
  ['language', { language: 'sw' }],
])('the same key with another %s is refused', async (_field, change) => {
  await service.ask('/wallets', posting(WALLET, 'opening-1'));
  const other = await service.ask('/wallets', posting({ ...WALLET, ...change }, 'opening-1'));
  expect([other.status, other.body['code']]).toEqual([409, 'key_reused']);
  expect(await service.query(`SELECT count(*)::int AS n FROM core.wallets WHERE kind = 'CUSTOMER'`)).toEqual([
    { n: 1 },
  ]);
});

test('a key that cannot be one is refused', async () => {
  const answer = await service.ask('/wallets', posting(WALLET, 'a key'));
  expect([answer.status, answer.body['code']]).toEqual([422, 'invalid_request']);
});

test('a wallet is opened in the language that its holder reads', async () => {
  const swahili = await service.ask('/wallets', posting({ ...WALLET, language: 'sw' }));
  expect(swahili.body['language']).toBe('sw');
  const french = await service.ask('/wallets', posting({ ...WALLET, language: 'fr' }));
  expect(french.status).toBe(422);
});

test('a repeated request makes one API key, and shows which one instead of its secret', async () => {
  const request = posting({ name: 'till 7', scopes: ['read'] }, 'key-1');
  const first = await service.ask('/api-keys', request);
  const repeat = await service.ask('/api-keys', request);
  expect([first.status, repeat.status, repeat.body['code']]).toEqual([201, 409, 'already_created']);
  expect(repeat.headers.get('location')).toBe(`/api-keys/${String(first.body['id'])}`);
  expect(JSON.stringify(repeat.body)).not.toContain(String(first.body['key']));
  const other = await service.ask('/api-keys', posting({ name: 'till 8', scopes: ['read'] }, 'key-1'));
  expect([other.status, other.body['code']]).toEqual([409, 'key_reused']);
  expect(await service.query('SELECT count(*)::int AS n FROM services.api_keys')).toEqual([{ n: 1 }]);
});
