import { findDescriptionFaults, readDescription } from '@repo/http/openapi-testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestService } from './testing.ts';
import type { TestService } from './testing.ts';

let service: TestService;
beforeAll(async () => {
  service = await startTestService();
});
afterAll(() => service[Symbol.asyncDispose]());

test('the strictest linter finds nothing wrong with the description', async () => {
  expect(await findDescriptionFaults(service.url)).toEqual([]);
});

test('every operation has a name of its own, a verb first, a named answer, and says what it may refuse', async () => {
  const { operations, schemas, unnamed } = await readDescription(service.url);
  const ids = operations.map(({ operationId }) => operationId);
  expect(new Set(ids).size).toBe(ids.length);
  for (const { path, operationId, responses } of operations) {
    expect(operationId, path).toMatch(/^[a-z]+([A-Z][a-z0-9]*)+$/);
    expect(Object.keys(responses), path).toEqual(expect.arrayContaining(['400', '500', 'default']));
  }
  expect(schemas).toContain('Problem');
  expect(unnamed).toEqual([]);
});

test('every code of a problem is listed, and its type leads to a page that explains it', async () => {
  const { codes } = await readDescription(service.url);
  expect(codes).toEqual(expect.arrayContaining(['not_found', 'invalid_request', 'key_reused']));
  for (const code of codes) {
    const page = await fetch(`${service.url}/problems/${code}`);
    expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    expect(await page.text()).toMatch(new RegExp(`<h1>[^<]+</h1>[^]*${code}[^]*<p>.{20,}</p>`));
  }
  const refusal = await fetch(`${service.url}/problems/constructor`);
  const { type, code } = (await refusal.json()) as { type: string; code: string };
  expect([refusal.status, type]).toEqual([404, `/problems/${code}`]);
  expect((await fetch(new URL(type, refusal.url))).status).toBe(200);
});
