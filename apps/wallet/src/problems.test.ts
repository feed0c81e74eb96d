import { DaftariError, ERROR_CATALOGUE, isDaftariError } from '@repo/db';
import type { ErrorCode } from '@repo/db';
import { createServer } from '@repo/http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { mapAmount } from './problems.ts';

/** A server that throws any error of the catalogue, as every service answers it. */
const { app } = await createServer({
  service: 'wallet',
  description: 'A service of the tests.',
  version: '0.0.0',
  logLevel: 'silent',
  apiKeys: [],
  readiness: () => Promise.resolve(),
  domain: { catalogue: ERROR_CATALOGUE, isError: isDaftariError },
  mapError: mapAmount,
});
app.get<{ Params: { code: ErrorCode } }>('/throws/:code', ({ params }) => {
  throw new DaftariError(params.code);
});
beforeAll(() => app.ready());
afterAll(() => app.close());

async function answerTo(code: ErrorCode) {
  const { statusCode: status, headers, body } = await app.inject(`/throws/${code}`);
  return { status, retryAfter: headers['retry-after'], body: JSON.parse(body) as Record<string, unknown> };
}

function codesOf(kind: string): ErrorCode[] {
  const codes = Object.keys(ERROR_CATALOGUE) as ErrorCode[];
  return codes.filter((code) => ERROR_CATALOGUE[code].kind === kind);
}

test.each(codesOf('refused'))('%s is refused under its own name, with what to do', async (code) => {
  const { status, retryAfter, body } = await answerTo(code);
  expect([404, 409, 422]).toContain(status);
  expect(retryAfter).toBeUndefined();
  expect(body).toMatchObject({ code, status, type: `/problems/${code}` });
  expect(body['title']).toMatch(/\.$/);
  expect(body['detail']).toBe(ERROR_CATALOGUE[code].advice);
});

const OVERLOADS = ['pool_exhausted', 'queue_full'];

test.each(codesOf('busy'))(
  '%s is a 503 that says that nothing was recorded and when to repeat',
  async (code) => {
    const { status, retryAfter, body } = await answerTo(code);
    const expected = OVERLOADS.includes(code) ? ['1', 'overloaded'] : ['5', 'unavailable'];
    expect([status, retryAfter, body['code']]).toEqual([503, ...expected]);
    expect(body['detail']).toContain('Nothing was recorded');
  },
);

test.each(codesOf('doubtful'))(
  '%s is a 503 that promises nothing and asks for the same key',
  async (code) => {
    const { status, retryAfter, body } = await answerTo(code);
    expect([status, retryAfter, body['code']]).toEqual([503, '1', 'unavailable']);
    expect(body['detail']).toContain('It is not known whether this was done');
    expect(body['detail']).toContain('same `Idempotency-Key`');
    expect(body['detail']).not.toContain('Nothing was recorded');
  },
);

test.each(codesOf('bug'))('%s is nobody’s request: a 500 without detail', async (code) => {
  const { status, body } = await answerTo(code);
  expect([status, body['code'], body['detail']]).toEqual([500, 'internal_error', undefined]);
  expect(JSON.stringify(body)).not.toContain(code);
});

test('what is unknown is a 404, except a wallet that a body names, and what came too late is a 409', async () => {
  const statusOf = async (code: ErrorCode) => [code, (await answerTo(code)).status];
  const codes = codesOf('refused');
  const unknown = codes.filter((code) => code.startsWith('unknown_') && code !== 'unknown_wallet');
  const late = codes.filter((code) => code.startsWith('already_'));
  expect(unknown.length * late.length).toBeGreaterThan(0);
  expect(await Promise.all(unknown.map(statusOf))).toEqual(unknown.map((code) => [code, 404]));
  expect(await Promise.all(late.map(statusOf))).toEqual(late.map((code) => [code, 409]));
  expect(await statusOf('unknown_wallet')).toEqual(['unknown_wallet', 422]);
});
