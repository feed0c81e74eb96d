import { expect, test } from 'vitest';
import { GuardedClient } from './guarded-client.ts';
import { useTestDb } from '../testing/database/test-db.ts';

const database = useTestDb();

async function open(): Promise<GuardedClient> {
  const client = new GuardedClient({ connectionString: database.url });
  await client.connect();
  return client;
}

/** Begins a transaction, fails in it, and goes on as if nothing had happened. */
async function fail(client: GuardedClient): Promise<void> {
  await client.query('BEGIN');
  await client.query('SELECT 1 / 0').catch(() => undefined);
}

test.for([
  ['COMMIT'],
  ['commit;'],
  [' Commit\n'],
  [{ text: 'COMMIT' }],
  [{ text: 'COMMIT', values: [] }],
] as const)('the commit %j of a transaction that is lost is an error', async ([statement]) => {
  const client = await open();
  await fail(client);
  const committing = client.query(typeof statement === 'string' ? statement : { ...statement, values: [] });
  await expect(committing).rejects.toThrow(expect.objectContaining({ code: 'transaction_lost' }));
  await client.end();
});

test('a commit that commits passes', async () => {
  const client = await open();
  await client.query('BEGIN');
  expect(await client.query('COMMIT')).toMatchObject({ command: 'COMMIT' });
  await client.end();
});

test('the client can be used after a lost commit', async () => {
  const client = await open();
  await fail(client);
  await client.query('COMMIT').catch(() => undefined);
  expect((await client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  await client.end();
});

test('a rollback is a rollback', async () => {
  const client = await open();
  await fail(client);
  expect(await client.query('ROLLBACK')).toMatchObject({ command: 'ROLLBACK' });
  await client.end();
});

test('a text that only mentions COMMIT is no commit', async () => {
  const client = await open();
  expect((await client.query(`SELECT 'COMMIT' AS word`)).rows).toEqual([{ word: 'COMMIT' }]);
  await client.end();
});
