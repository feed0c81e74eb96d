import { expect, test } from 'vitest';
import { secretDigest } from './secrets.ts';
import { startTestServer } from './testing.ts';

const apiKeys = [
  { hash: secretDigest('reader'), scopes: ['deposits:read'] },
  { hash: secretDigest('admin'), scopes: ['*'] },
];

async function statusWith(authorization: string | null): Promise<number> {
  await using service = await startTestServer(
    ({ app, requireKey }) => {
      app.get('/reports', { onRequest: requireKey('reports:read') }, () => ({}));
    },
    { apiKeys },
  );
  const headers = authorization === null ? {} : { authorization };
  return (await fetch(`${service.url}/reports`, { headers })).status;
}

test.each([
  ['no header', null, 401],
  ['an unknown key', 'Bearer nobody', 401],
  ['a key under another scheme', 'Basic admin', 401],
  ['a known key with something behind it', 'Bearer admin admin', 401],
  ['a known key that lacks the scope', 'Bearer reader', 403],
  ['a key that may do everything', 'Bearer admin', 200],
  ['the scheme in another case', 'bearer admin', 200],
])('%s is answered with the right status', async (_case, authorization, status) => {
  expect(await statusWith(authorization)).toBe(status);
});

test('without any key nobody is let in', async () => {
  await using service = await startTestServer(
    ({ app, requireKey }) => {
      app.get('/reports', { onRequest: requireKey('reports:read') }, () => ({}));
    },
    { apiKeys: [] },
  );
  const response = await fetch(`${service.url}/reports`, { headers: { authorization: 'Bearer ' } });
  expect(response.status).toBe(401);
  expect(response.headers.get('www-authenticate')).toBe('Bearer');
});
