import { confirmationOf, createPayment, createRandom } from '@repo/simulator';
import { expect, test } from 'vitest';
import { startTestService, TEST_KEY, TEST_TOKEN } from './testing.ts';
import type { TestService } from './testing.ts';

const message = JSON.stringify(confirmationOf(createPayment(createRandom('source.test'))));

async function post(service: TestService, headers: Record<string, string> = {}): Promise<number> {
  const url = `${service.url}/c2b/${TEST_TOKEN}/confirmation`;
  return (await fetch(url, { method: 'POST', body: message, headers })).status;
}

async function readSources({ database }: TestService) {
  return database.query('SELECT outcome, error, source FROM services.mpesa_callbacks ORDER BY id');
}

test('by default an unlisted address is served and reported once', async () => {
  await using service = await startTestService({
    sourceCheck: { mode: 'log', allowlist: ['196.201.214.200'] },
  });
  expect([await post(service), await post(service)]).toEqual([200, 200]);
  expect(service.lines.filter((line) => line.includes('not in MPESA_SOURCE_ALLOWLIST'))).toHaveLength(1);
  const metrics = await fetch(`${service.url}/metrics`, { headers: { authorization: `Bearer ${TEST_KEY}` } });
  expect(await metrics.text()).toContain('mpesa_callbacks_unlisted_source_total{service="mpesa"} 2');
  expect(await readSources(service)).toMatchObject([{ source: '127.0.0.1' }, { source: '127.0.0.1' }]);
});

test('enforced, an unlisted address is refused, credits nothing, and its message is kept for people', async () => {
  await using service = await startTestService({
    sourceCheck: { mode: 'enforce', allowlist: ['196.201.214.200'] },
  });
  expect(await post(service)).toBe(403);
  expect(await readSources(service)).toEqual([
    { outcome: 'QUARANTINED', error: 'source_not_allowed', source: '127.0.0.1' },
  ]);
});

test('a forwarded address counts only when it comes through a trusted proxy', async () => {
  const sourceCheck = { mode: 'enforce', allowlist: ['196.201.214.200'] } as const;
  const forwarded = { 'x-forwarded-for': '196.201.214.200' };
  await using open = await startTestService({ sourceCheck });
  expect(await post(open, forwarded)).toBe(403);

  await using proxied = await startTestService({ sourceCheck, trustProxy: ['loopback'] });
  expect(await post(proxied, forwarded)).toBe(200);
  expect(await post(proxied, { 'x-forwarded-for': '196.201.214.200, 10.0.0.1' })).toBe(403);
  expect(await post(proxied, { 'x-forwarded-for': 'somewhere' })).toBe(403);
  expect((await readSources(proxied)).map((row) => row['source'])).toEqual([
    '196.201.214.200',
    '10.0.0.1',
    '127.0.0.1',
  ]);
});
