import { createApiKey } from '@repo/db';
import { expect, test } from 'vitest';
import { openCustomer, startTestService, useTestService } from '../testing.ts';

const service = useTestService();

test('an administrator finds customers by name, with their names in full, and the log has no name', async () => {
  const number = await openCustomer(service.db, '0.00', 'Wanjikũ Kamau');
  await openCustomer(service.db, '0.00', 'Otieno Odhiambo');
  const { status, body } = await service.ask('/wallets?name=wanjiku%20kam');
  expect(status).toBe(200);
  expect(body).toEqual({
    items: [{ number, holderName: 'Wanjikũ Kamau', status: 'active', currency: 'KES' }],
    nextCursor: null,
  });
  const log = service.lines.join('');
  expect(log).toContain('wallets were looked for by the name of their holder');
  expect(log).not.toMatch(/wanjik|kamau/i);
});

test('a key without the scope admin finds nobody by name', async () => {
  const { key } = await createApiKey(service.db, { name: 'Shop', scopes: ['read', 'transact'] });
  expect((await service.ask('/wallets?name=wanjiku', { key })).status).toBe(403);
});

test.each([
  'name=wa',
  'name=',
  'name=%27%27%27%27',
  'name=wanjiku&phone=0700000001',
  'name=wanjiku&prefix=123',
])('?%s is refused', async (query) => {
  expect((await service.ask(`/wallets?${query}`)).status).toBe(422);
});

test('a search by name counts as a look-up', async () => {
  await using own = await startTestService({ lookupRate: 1 });
  expect((await own.ask('/wallets?name=wanjiku')).status).toBe(200);
  expect((await own.ask('/wallets?name=wanjiku')).status).toBe(429);
});
