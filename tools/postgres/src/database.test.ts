import fc from 'fast-check';
import { Client } from 'pg';
import { anyCharacter } from '@repo/testing/characters';
import { expect, inject, test } from 'vitest';
import { cloneDatabase, createDatabase, databaseUrl, dropDatabase, execute } from './database.ts';
import { PostgresError } from './errors.ts';
import { createTestDatabase } from './testing.ts';

const { serverUrl, prefix } = inject('postgres');

async function connectTo(url: string): Promise<Client> {
  const client = new Client({ connectionString: url });
  // The server cuts this connection when its database is dropped, which the test expects.
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

test('names with quotes, spaces, upper case and letters of any language reach the database they name', async () => {
  const name = `${prefix}We"ird DROP -- 'ñyota`;
  const url = await createDatabase(serverUrl, name);
  expect(await execute(url, 'SELECT current_database()::text AS name')).toEqual([{ name }]);
  await dropDatabase(serverUrl, name);
  await expect(execute(url, 'SELECT 1')).rejects.toMatchObject({ code: '3D000' });
});

test('every name either comes back from its URL unchanged or is refused', () => {
  const anyName = fc.oneof(
    fc.string({ unit: anyCharacter }),
    fc.string(),
    fc.constantFrom('.', '..', '%41', 'a b%2'),
  );
  fc.assert(
    fc.property(anyName, (name) => {
      let url: string;
      try {
        url = databaseUrl('postgresql://user:pass@127.0.0.1:5432/postgres?application_name=x', name);
      } catch (error) {
        expect(error).toBeInstanceOf(PostgresError);
        return;
      }
      expect(new Client({ connectionString: url }).database).toBe(name);
    }),
    { numRuns: 2000 },
  );
});

test('a name that PostgreSQL would cut is refused', async () => {
  await expect(createDatabase(serverUrl, 'x'.repeat(64))).rejects.toMatchObject({ code: 'NAME_INVALID' });
  await expect(createDatabase(serverUrl, 'é'.repeat(32))).rejects.toMatchObject({ code: 'NAME_INVALID' });
  await expect(dropDatabase(serverUrl, 'nul\0')).rejects.toMatchObject({ code: 'NAME_INVALID' });
});

test('eight clones of one template at once all hold its rows', async () => {
  const template = `${prefix}source`;
  await execute(
    await createDatabase(serverUrl, template),
    'CREATE TABLE t AS SELECT generate_series(1, 1000) AS id',
  );
  const names = Array.from({ length: 8 }, (_, index) => `${prefix}copy_${index}`);
  const urls = await Promise.all(names.map((name) => cloneDatabase(serverUrl, { template, name })));
  const counts = await Promise.all(urls.map((url) => execute(url, 'SELECT count(*)::int AS rows FROM t')));
  expect(counts).toEqual(names.map(() => [{ rows: 1000 }]));
  await Promise.all([...names, template].map((name) => dropDatabase(serverUrl, name)));
});

test('a clone waits for a template that is in use for a moment', async () => {
  const template = `${prefix}visited`;
  const visitor = await connectTo(await createDatabase(serverUrl, template));
  const clone = cloneDatabase(serverUrl, { template, name: `${prefix}patient` });
  await visitor.end();
  expect(await execute(await clone, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
});

test('a clone of a template that stays in use is refused with what to do', async () => {
  const template = `${prefix}occupied`;
  const visitor = await connectTo(await createDatabase(serverUrl, template));
  await expect(cloneDatabase(serverUrl, { template })).rejects.toMatchObject({
    code: 'TEMPLATE_BUSY',
    message: expect.stringContaining(template),
  });
  await visitor.end();
});

test('a database in use can be dropped, and dropping it again is harmless', async () => {
  const name = `${prefix}used`;
  const user = await connectTo(await createDatabase(serverUrl, name));
  const cut = new Promise((resolve) => user.once('end', resolve));
  await dropDatabase(serverUrl, name);
  await cut;
  await dropDatabase(serverUrl, name);
});

test('an empty test database holds nothing of the migrations', async () => {
  await using database = await createTestDatabase({ empty: true });
  const schemas = await execute(
    database.url,
    `SELECT FROM pg_namespace WHERE nspname IN ('core', 'services')`,
  );
  expect(schemas).toHaveLength(0);
});
