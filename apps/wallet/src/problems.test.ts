import { DaftariError } from '@repo/db';
import type { ErrorCode } from '@repo/db';
import { expect, test } from 'vitest';
import { mapError } from './problems.ts';

test.each([
  'queue_full',
  'intake_closed',
  'database_unavailable',
  'pool_exhausted',
  'database_busy',
  'schema_outdated',
  'transaction_timeout',
] as const)('%s is a 503 that says that nothing was done and when to come back', (code) => {
  expect(mapError(new DaftariError(code))?.facts).toMatchObject({
    status: 503,
    code: 'unavailable',
    detail: expect.stringContaining('Nothing was done') as string,
    headers: { 'retry-after': '5' },
  });
});

test('an outcome that nobody knows is a 503 that promises nothing and asks for the same key', () => {
  const problem = mapError(new DaftariError('outcome_unknown'));
  expect(problem?.status).toBe(503);
  expect(problem?.facts.detail).toContain('same `Idempotency-Key`');
  expect(problem?.facts.detail).not.toContain('Nothing was done');
});

test.each([
  'database_error',
  'request_failed',
  'append_only',
  'around_the_door',
  'transaction_lost',
] as const)('%s is nobody’s request and left to the rule for what was not foreseen', (code: ErrorCode) => {
  expect(mapError(new DaftariError(code))).toBeNull();
  expect(mapError(new Error(code))).toBeNull();
});

test('a refused field is named', () => {
  const problem = mapError(new DaftariError('invalid_wallet', { field: 'phone' }));
  expect(problem?.facts).toMatchObject({ status: 422, findings: [{ where: 'phone' }] });
});
