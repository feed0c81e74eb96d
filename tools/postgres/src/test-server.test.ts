import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, inject, test } from 'vitest';
import { cloneDatabase, createDatabase, execute } from './database.ts';
import { createFolder } from './fixtures/folder.ts';
import { openTestServer } from './test-server.ts';

const { serverUrl } = inject('postgres');

async function databasesWith(prefix: string): Promise<number> {
  const rows = await execute(serverUrl, `SELECT FROM pg_database WHERE starts_with(datname, '${prefix}')`);
  return rows.length;
}

async function templates(): Promise<Record<string, unknown>[]> {
  return execute(
    serverUrl,
    `SELECT datname::text FROM pg_database WHERE datname ~ '^test_[0-9a-f]{8}_template$' ORDER BY 1`,
  );
}

test('on a server that was started elsewhere all databases of the run are removed at the end', async () => {
  await using folder = await createFolder();
  const { testServer, close } = await openTestServer({ adminUrl: serverUrl, rootDirectory: folder.path });
  const { prefix, template } = testServer;
  await cloneDatabase(serverUrl, { template, name: `${prefix}one` });
  await createDatabase(serverUrl, `${prefix}two`);
  expect(await databasesWith(prefix)).toBe(3);
  await close();
  expect(await databasesWith(prefix)).toBe(0);
});

test('a server that does not answer is reported without its password', async () => {
  await using folder = await createFolder();
  const opening = openTestServer({
    adminUrl: 'postgresql://u:secret@127.0.0.1:1/db',
    rootDirectory: folder.path,
  });
  const error = await opening.catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: 'TEST_SERVER_UNUSABLE' });
  expect(String(error)).not.toContain('secret');
});

test('migrations that cannot be applied are reported, and the databases of the run removed', async () => {
  await using folder = await createFolder();
  await mkdir(join(folder.path, 'prisma', 'migrations', '20240101000000_first'), { recursive: true });
  const before = await templates();
  const opening = openTestServer({ adminUrl: serverUrl, rootDirectory: folder.path });
  // The dependencies of this repository, and so the command, are not installed.
  await expect(opening).rejects.toMatchObject({ code: 'MIGRATION_FAILED', cause: { code: 'ENOENT' } });
  expect(await templates()).toEqual(before);
});
