import type { Db } from '@repo/db';
import { expect, test } from 'vitest';
import { openCustomer, posting, startTestService } from '../testing.ts';
import type { TestService } from '../testing.ts';

const AS_JSON = { key: null, headers: { accept: 'application/json' } };
const WRONG = '0'.repeat(64);

async function pay(service: TestService): Promise<{ reference: string; hash: string }> {
  const [from, to] = [await openCustomer(service.db, '100.00'), await openCustomer(service.db)];
  const { body } = await service.ask('/transfers', posting({ from, to, amount: '60.00' }));
  return { reference: String(body['reference']), hash: String(body['verificationHash']) };
}

test('a known reference with a wrong hash costs the same statements as an unknown one', async () => {
  const executed: string[] = [];
  const listening = (db: Db): Db => ({
    ...db,
    run: (statement, values) => {
      executed.push(statement.name);
      return db.run(statement, values);
    },
  });
  await using service = await startTestService({}, listening);
  const { reference, hash } = await pay(service);
  const statementsOf = async (path: string) => {
    executed.length = 0;
    await service.ask(`/verify/${path}`, AS_JSON);
    return [...executed];
  };
  const unknown = await statementsOf(`DF-000000000000/${WRONG}`);
  expect(unknown).toHaveLength(1);
  for (const presented of [`${reference}/${WRONG}`, `${reference.toLowerCase()}/x`, `${'a'.repeat(60)}/x`]) {
    expect(await statementsOf(presented)).toEqual(unknown);
  }
  // Only callers who have seen the receipt are worth more.
  expect((await statementsOf(`${reference}/${hash}`)).length).toBeGreaterThan(1);
});

async function check(service: TestService, client: string): Promise<Response> {
  const headers = { accept: 'application/json', 'x-forwarded-for': client };
  return service.fetch(`/verify/DF-000000000000/${WRONG}`, { key: null, headers });
}

test('an address may check a limited number of receipts a minute, and then learns how long to wait', async () => {
  await using service = await startTestService({ verifyRate: 3, trustProxy: ['loopback'] });
  for (let time = 0; time < 3; time += 1) expect((await check(service, '192.0.2.1')).status).toBe(200);
  const refused = await check(service, '192.0.2.1');
  expect(refused.status).toBe(429);
  expect(refused.headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
  expect(await refused.json()).toMatchObject({ code: 'rate_limited' });
  // Other addresses are not held up by it, nor are routes that ask for a key.
  expect((await check(service, '192.0.2.2')).status).toBe(200);
  expect((await service.fetch('/.well-known/jwks.json', { key: null })).status).toBe(200);
  const metrics = await (await service.fetch('/metrics')).text();
  expect(metrics).toContain('wallet_rate_limited_total{service="wallet"} 1');
});

test('a network of one IPv6 customer counts as one address', async () => {
  await using service = await startTestService({ verifyRate: 1, trustProxy: ['loopback'] });
  expect((await check(service, '2001:db8:1:2::1')).status).toBe(200);
  expect((await check(service, '2001:db8:1:2:ffff::2')).status).toBe(429);
  expect((await check(service, '2001:db8:1:3::1')).status).toBe(200);
});

test('a client behind no trusted proxy cannot choose its address', async () => {
  await using service = await startTestService({ verifyRate: 1 });
  expect((await check(service, '192.0.2.1')).status).toBe(200);
  expect((await check(service, '192.0.2.2')).status).toBe(429);
});
