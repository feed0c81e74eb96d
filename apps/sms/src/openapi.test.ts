import { Validator } from '@seriousme/openapi-schema-validator';
import { expect, test } from 'vitest';
import { startTestService } from './testing.ts';

interface Operation {
  readonly summary?: string;
  readonly security?: readonly object[];
  readonly responses?: Readonly<Record<string, { readonly content?: Readonly<Record<string, unknown>> }>>;
}

async function readDescription() {
  await using service = await startTestService();
  const { body } = await service.ask('/docs/json', { key: null });
  return body as { openapi: string; paths: Record<string, Record<string, Operation>> };
}

test('the description is valid OpenAPI 3.1', async () => {
  const description = await readDescription();
  expect(description.openapi).toMatch(/^3\.1\./);
  const { valid, errors } = await new Validator().validate(structuredClone(description));
  expect(errors ?? []).toEqual([]);
  expect(valid).toBe(true);
});

test('every route is described, summed up, and its refusals are problem details', async () => {
  const { paths } = await readDescription();
  expect(Object.keys(paths).toSorted()).toEqual([
    '/delivery-reports/{token}',
    '/health/live',
    '/health/ready',
    '/messages',
    '/messages/{id}',
    '/messages/{id}/decision',
    '/opt-outs/{token}',
    '/reports/cost',
    '/reports/cost.csv',
    '/templates',
    '/templates/{key}/{language}',
    '/templates/{key}/{language}/preview',
  ]);
  for (const [path, methods] of Object.entries(paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      expect(operation.summary, `${method} ${path}`).toMatch(/\.$/);
      for (const [status, { content }] of Object.entries(operation.responses ?? {})) {
        if (Number(status) >= 400) expect(Object.keys(content ?? {})).toEqual(['application/problem+json']);
      }
    }
  }
});

test('all that shows or queues messages asks for a key', async () => {
  const { paths } = await readDescription();
  const open = Object.entries(paths).flatMap(([path, methods]) =>
    Object.values(methods).some(({ security }) => (security ?? []).length === 0) ? [path] : [],
  );
  expect(open.toSorted()).toEqual([
    '/delivery-reports/{token}',
    '/health/live',
    '/health/ready',
    '/opt-outs/{token}',
  ]);
});
