import { expect, test } from 'vitest';
import { basic, call, startForTest, tokenOf } from './testing.ts';

const PUSH = '/mpesa/stkpush/v1/processrequest';

test('a new access token ends the one before it', async () => {
  const daraja = await startForTest();
  const first = await tokenOf(daraja);
  const second = await tokenOf(daraja);
  const refused = await call(`${daraja.url}${PUSH}`, { token: first, body: {} });
  expect(refused).toMatchObject({ status: 404, body: { errorCode: '404.001.03' } });
  const heard = await call(`${daraja.url}${PUSH}`, { token: second, body: {} });
  expect(heard).toMatchObject({ status: 400, body: { errorCode: '400.002.02' } });
});

test('wrong credentials and another grant type get no token', async () => {
  const daraja = await startForTest();
  const get = (grant: string, token: string) =>
    call(`${daraja.url}/oauth/v1/generate?grant_type=${grant}`, { method: 'GET', token });
  expect(await get('client_credentials', basic('other'))).toMatchObject({
    body: { errorCode: '400.008.01' },
  });
  expect(await get('password', basic())).toMatchObject({ body: { errorCode: '400.008.02' } });
  expect(daraja.tokensIssued()).toBe(0);
});

test('a token ends when its time is over, and when it is revoked', async () => {
  let now = new Date('2026-11-27T09:00:00Z');
  const daraja = await startForTest({ now: () => now });
  const use = async (token: string) => (await call(`${daraja.url}${PUSH}`, { token, body: {} })).status;
  const token = await tokenOf(daraja);
  now = new Date('2026-11-27T09:59:58Z');
  expect(await use(token)).toBe(400);
  now = new Date('2026-11-27T09:59:59Z');
  expect(await use(token)).toBe(404);
  const next = await tokenOf(daraja);
  daraja.revokeToken();
  expect(await use(next)).toBe(404);
});

test('a request without a token, of another method or to another path is refused as Daraja does', async () => {
  const daraja = await startForTest();
  expect(await call(`${daraja.url}${PUSH}`, { body: {} })).toMatchObject({
    body: { errorCode: '404.001.04' },
  });
  expect(await call(`${daraja.url}${PUSH}`, { method: 'GET' })).toMatchObject({ status: 405 });
  expect(await call(`${daraja.url}/nowhere`, { body: {} })).toMatchObject({ status: 404 });
});

test('a fault befalls the requests that it is meant for', async () => {
  const daraja = await startForTest({
    fault: ({ path, before }) => (path.startsWith('/oauth/') && before === 0 ? 'throttled' : null),
  });
  const get = () =>
    call(`${daraja.url}/oauth/v1/generate?grant_type=client_credentials`, { method: 'GET', token: basic() });
  expect(await get()).toMatchObject({ status: 429 });
  expect(await get()).toMatchObject({ status: 200, body: { expires_in: '3599' } });
  expect(daraja.requests()).toEqual({ '/oauth/v1/generate': 2 });
});
