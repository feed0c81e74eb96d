import { expect, test } from 'vitest';
import type { Scope } from './dependencies.ts';
import { openCustomer, startTestService, useTestService } from './testing.ts';
import type { TestService } from './testing.ts';

const service = useTestService();

/** What each guarded route asks for, as `METHOD path`. */
const GUARDED: Readonly<Record<string, Scope>> = {
  'GET /wallets/{number}': 'read',
  'GET /wallets/{number}/balance': 'read',
  'GET /wallets/{number}/statement': 'read',
  'GET /wallets/{number}/statement.csv': 'read',
  'GET /wallets/{number}/statement.pdf': 'read',
  'GET /transactions/{reference}': 'read',
  'GET /fee-rules': 'read',
  'GET /fees': 'read',
  'GET /receipts/{reference}': 'read',
  'GET /holds/{id}': 'read',
  'POST /wallets': 'transact',
  'POST /transfers': 'transact',
  'POST /holds': 'transact',
  'POST /holds/{id}/capture': 'transact',
  'DELETE /holds/{id}': 'transact',
  'GET /wallets': 'admin',
  'PATCH /wallets/{number}': 'admin',
  'POST /wallets/{number}/freeze': 'admin',
  'POST /wallets/{number}/unfreeze': 'admin',
  'POST /wallets/{number}/close': 'admin',
  'POST /transactions/{reference}/reversal': 'admin',
  'POST /fee-rules': 'admin',
  'POST /fee-rules/{id}/end': 'admin',
  'POST /api-keys': 'admin',
  'DELETE /api-keys/{id}': 'admin',
};

const OPEN = [
  'GET /health/live',
  'GET /health/ready',
  'GET /verify/{reference}/{hash}',
  'GET /.well-known/jwks.json',
];

async function makeKey(of: TestService, scopes: readonly string[], key?: string) {
  return of.ask('/api-keys', {
    method: 'POST',
    body: { name: 'till 7', scopes },
    ...(key === undefined ? {} : { key }),
  });
}

async function statusOf(of: TestService, route: string, key: string | null): Promise<number> {
  const [method = '', path = ''] = route.replaceAll(/\{\w+\}/g, '0').split(' ');
  const headers = key === null ? {} : { authorization: `Bearer ${key}` };
  return (await fetch(`${of.url}${path}`, { method, headers })).status;
}

test('every route is either open or asks for exactly one scope', async () => {
  const { body } = await service.ask('/docs/json', { key: null });
  const described = Object.entries(body['paths'] as Record<string, object>).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  const known = [...Object.keys(GUARDED), ...OPEN];
  expect(described.toSorted()).toEqual(known.toSorted());

  const keys = new Map<Scope, string>();
  for (const scope of ['read', 'transact', 'admin'] as const) {
    keys.set(scope, String((await makeKey(service, [scope])).body['key']));
  }
  for (const [route, wanted] of Object.entries(GUARDED)) {
    expect([route, await statusOf(service, route, null)]).toEqual([route, 401]);
    expect([route, await statusOf(service, route, 'nobody')]).toEqual([route, 401]);
    for (const [scope, key] of keys) {
      const status = await statusOf(service, route, key);
      if (scope === wanted) expect([401, 403], route).not.toContain(status);
      else expect(status, `${route} with ${scope}`).toBe(403);
    }
  }
  expect(await statusOf(service, 'GET /metrics', keys.get('read') ?? null)).toBe(200);
  expect(await statusOf(service, 'GET /metrics', keys.get('transact') ?? null)).toBe(403);
  for (const route of OPEN) expect([401, 403]).not.toContain(await statusOf(service, route, null));
});

test('a key lacks a scope in the same words, whether the wallet exists or not', async () => {
  const number = await openCustomer(service.db);
  const { body } = await makeKey(service, ['transact']);
  const refusals = await Promise.all(
    [number, '1000000000'].map((each) => service.ask(`/wallets/${each}`, { key: String(body['key']) })),
  );
  expect(refusals.map(({ body: problem }) => ({ ...problem, requestId: '' }))).toEqual([
    { ...refusals[0]?.body, requestId: '' },
    { ...refusals[0]?.body, requestId: '' },
  ]);
  expect(refusals[0]?.body).toMatchObject({ status: 403, code: 'forbidden' });
});

test('a key is shown once and kept as a hash, and what it does is logged under its id', async () => {
  await using own = await startTestService();
  const made = await makeKey(own, ['read', 'read', 'transact']);
  expect(made.status).toBe(201);
  expect(made.body).toEqual({
    id: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
    name: 'till 7',
    scopes: ['read', 'transact'],
    key: expect.stringMatching(/^\S{20,}$/) as string,
  });
  const key = String(made.body['key']);
  const rows = await own.query('SELECT * FROM services.api_keys');
  expect(rows).toHaveLength(1);
  expect(JSON.stringify(rows)).not.toContain(key);
  await own.fetch('/wallets/1000000000', { key });
  expect(own.lines.join('')).toContain(`"caller":"${String(made.body['id'])}"`);
  expect(own.lines.join('')).not.toContain(key);
});

test('a revoked key gets nowhere at once, although it was just used', async () => {
  const { body } = await makeKey(service, ['read']);
  const key = String(body['key']);
  expect(await statusOf(service, 'GET /wallets/{number}', key)).toBe(404);
  const revoke = () => service.fetch(`/api-keys/${String(body['id'])}`, { method: 'DELETE' });
  expect([(await revoke()).status, (await revoke()).status]).toEqual([204, 204]);
  expect(await statusOf(service, 'GET /wallets/{number}', key)).toBe(401);
});

test('nobody grants what they do not have', async () => {
  const { body } = await makeKey(service, ['admin']);
  const key = String(body['key']);
  const more = await makeKey(service, ['admin', 'transact'], key);
  expect([more.status, more.body['code']]).toEqual([403, 'forbidden']);
  expect((await makeKey(service, ['admin'], key)).status).toBe(201);
});

test.each([
  ['no scope', { scopes: [] }],
  ['an unknown scope', { scopes: ['root'] }],
  ['no name', { name: '' }],
  ['a key of its own', { key: 'my-own-key' }],
])('a key with %s is not made', async (_what, change) => {
  const answer = await service.ask('/api-keys', {
    method: 'POST',
    body: { name: 'till 7', scopes: ['read'], ...change },
  });
  expect([answer.status, answer.body['code']]).toEqual([422, 'invalid_request']);
});

test('an invalid id is refused', async () => {
  const answer = await service.ask('/api-keys/till-7', { method: 'DELETE' });
  expect([answer.status, answer.body['code']]).toEqual([422, 'invalid_request']);
});
