import { Validator } from '@seriousme/openapi-schema-validator';
import { expect, test } from 'vitest';
import { startTestService } from './testing.ts';

interface Operation {
  readonly summary?: string;
  readonly security?: readonly object[];
  readonly parameters?: readonly {
    readonly name: string;
    readonly in: string;
    readonly required?: boolean;
  }[];
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

test('the validator finds a description that is not valid', async () => {
  const description = await readDescription();
  const { valid } = await new Validator().validate({ ...description, paths: { transfers: 'POST' } });
  expect(valid).toBe(false);
});

test('every operation is summed up, and every refusal is described as problem details', async () => {
  const { paths } = await readDescription();
  for (const [path, methods] of Object.entries(paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      expect(operation.summary, `${method} ${path}`).toMatch(/\.$/);
      for (const [status, { content }] of Object.entries(operation.responses ?? {})) {
        if (Number(status) >= 400) expect(Object.keys(content ?? {})).toEqual(['application/problem+json']);
      }
    }
  }
});

test('what moves money describes its idempotency key as required', async () => {
  const { paths } = await readDescription();
  for (const path of ['/transfers', '/holds', '/holds/{id}/capture', '/transactions/{reference}/reversal']) {
    const { parameters = [] } = paths[path]?.['post'] ?? {};
    expect(parameters, path).toContainEqual(
      expect.objectContaining({ name: 'idempotency-key', in: 'header', required: true }),
    );
  }
});
