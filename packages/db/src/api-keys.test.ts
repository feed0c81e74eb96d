import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { createApiKey, findApiKey, revokeApiKey } from './api-keys.ts';
import type { Scope } from './api-keys.ts';
import { refusalOf } from './testing/ledger/refusal.ts';
import { useTestDb } from './testing/database/test-db.ts';

const database = useTestDb();

test('a key finds its name and its scopes', async () => {
  const { id, key } = await createApiKey(database.db, { name: 'duka', scopes: ['read', 'transact', 'read'] });
  expect(await findApiKey(database.db, key)).toEqual({ id, name: 'duka', scopes: ['read', 'transact'] });
});

test('what is stored is the hash of the key, and the key is nowhere', async () => {
  const { id, key } = await createApiKey(database.db, { name: 'duka', scopes: ['admin'] });
  const [row] = await database.sql(
    'SELECT row_to_json(k)::text AS all, key_hash FROM services.api_keys k WHERE id = $1',
    [id],
  );
  expect(row?.['key_hash']).toBe(createHash('sha256').update(key).digest('hex'));
  expect(String(row?.['all'])).not.toContain(key.slice(3));
});

test('no two keys are alike, and a key has at least 192 random bits', async () => {
  const request = { name: 'duka', scopes: ['read'] as const };
  const keys = await Promise.all(Array.from({ length: 20 }, () => createApiKey(database.db, request)));
  expect(new Set(keys.map(({ key }) => key)).size).toBe(20);
  for (const { key } of keys) expect(key).toMatch(/^dk_[\w-]{32}$/);
});

test("a revoked key is nobody's, and revoking it again does nothing", async () => {
  const { id, key } = await createApiKey(database.db, { name: 'duka', scopes: ['read'] });
  const other = await createApiKey(database.db, { name: 'soko', scopes: ['read'] });
  await revokeApiKey(database.db, id);
  const revokedAt = () => database.sql('SELECT revoked_at FROM services.api_keys WHERE id = $1', [id]);
  const before = await revokedAt();
  await revokeApiKey(database.db, id);
  expect(await revokedAt()).toEqual(before);
  expect(await findApiKey(database.db, key)).toBeNull();
  expect(await findApiKey(database.db, other.key)).toMatchObject({ id: other.id });
});

test('an invalid id revokes nothing and is no error', async () => {
  await revokeApiKey(database.db, 'no-uuid');
  await revokeApiKey(database.db, '00000000-0000-7000-8000-000000000000');
});

test.each(['', 'dk_', 'x'.repeat(10_000), 'a\0b', '\ud800'])(
  "a text that is no key is nobody's",
  async (key) => {
    expect(await findApiKey(database.db, key)).toBeNull();
  },
);

test.each([
  ['name', { name: '', scopes: ['read'] as const }],
  ['name', { name: 'n'.repeat(101), scopes: ['read'] as const }],
  ['scopes', { name: 'duka', scopes: [] }],
  ['scopes', { name: 'duka', scopes: ['root' as Scope] }],
] as const)('a key whose `%s` is unfit is not made', async (field, request) => {
  await expect(createApiKey(database.db, request)).rejects.toMatchObject({ code: 'invalid_request', field });
  expect(await refusalOf(createApiKey(database.db, request))).toBe('invalid_request');
});
