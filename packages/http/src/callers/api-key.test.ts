import { expect, test } from 'vitest';
import { callerOf } from './api-key.ts';
import { httpProblem } from '../problems/problem.ts';
import { secretDigest } from './secrets.ts';
import { startTestServer } from '../testing.ts';

const API_KEYS = [
  { hash: secretDigest('reader'), scopes: ['deposits:read'] },
  { hash: secretDigest('admin'), scopes: ['*'] },
];

async function statusWith(authorization: string | null): Promise<number> {
  await using service = await startTestServer(
    ({ app, requireKey }) => {
      app.get('/reports', { onRequest: requireKey('reports:read') }, () => ({}));
    },
    { apiKeys: API_KEYS },
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

test('a key that is not configured is asked of the finder, and the handler learns who calls', async () => {
  const findKey = (key: string) =>
    Promise.resolve(key === 'kept-key' ? { id: 'till-7', scopes: ['reports:read'] } : null);
  await using service = await startTestServer(
    ({ app, requireKey }) => {
      app.get('/reports', { onRequest: requireKey('reports:read') }, (request) => callerOf(request));
      app.get('/settings', { onRequest: requireKey('settings:read') }, () => ({}));
      app.get('/open', (request) => ({ caller: callerOf(request) }));
    },
    { apiKeys: API_KEYS, findKey },
  );
  const get = (path: string, key: string) =>
    fetch(`${service.url}${path}`, { headers: { authorization: `Bearer ${key}` } });
  expect(await (await get('/reports', 'kept-key')).json()).toEqual({
    id: 'till-7',
    scopes: ['reports:read'],
  });
  expect(await (await get('/reports', 'admin')).json()).toEqual({ id: 'configured-2', scopes: ['*'] });
  expect(await (await get('/open', 'kept-key')).json()).toEqual({ caller: null });
  expect((await get('/settings', 'kept-key')).status).toBe(403);
  expect((await get('/reports', 'nobody')).status).toBe(401);
  expect(service.lines.join('')).toContain('"caller":"till-7"');
  expect(service.lines.join('')).not.toContain('kept-key');
});

test('when keys cannot be looked up the answer says so, and a configured key works on', async () => {
  const findKey = () => Promise.reject(httpProblem('unavailable'));
  await using service = await startTestServer(
    ({ app, requireKey }) => {
      app.get('/reports', { onRequest: requireKey('reports:read') }, () => ({}));
    },
    { apiKeys: API_KEYS, findKey },
  );
  const get = (key: string) =>
    fetch(`${service.url}/reports`, { headers: { authorization: `Bearer ${key}` } });
  expect((await get('kept-key')).status).toBe(503);
  expect((await get('reader')).status).toBe(403);
  expect((await get('admin')).status).toBe(200);
});
