import { once } from 'node:events';
import { access, chmod, mkdir, readdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { copyForOthers } from './binaries-copy.ts';
import { locatePackage } from './binaries.ts';
import { execute } from './database.ts';
import { codeOf } from './errors.ts';
import { createFolder } from './fixtures/folder.ts';
import { runProgram } from './fixtures/program.ts';
import { findFreePort } from './port.ts';
import { startServer } from './server.ts';
import type { ServerOptions } from './server.ts';

const SETTINGS = [
  'server_encoding',
  'timezone',
  'listen_addresses',
  'max_connections',
  'fsync',
  'data_checksums',
];
const SETTINGS_QUERY = `SELECT ${SETTINGS.map((name) => `current_setting('${name}') AS ${name}`).join(', ')}`;

test('a server is UTF-8, in UTC, on the loopback interface, and durable by default', async () => {
  await using folder = await createFolder();
  await using server = await startServer({ dataDirectory: join(folder.path, 'data'), hasOwnIdentity: true });
  const [row] = await execute(server.url, SETTINGS_QUERY);
  expect(row).toEqual({
    server_encoding: 'UTF8',
    timezone: 'UTC',
    listen_addresses: '127.0.0.1',
    max_connections: '200',
    fsync: 'on',
    data_checksums: 'on',
  });
});

test('a setting that is asked for wins over the usual one', async () => {
  await using server = await startServer({
    durable: false,
    settings: { max_connections: '11', shared_preload_libraries: 'pg_stat_statements' },
  });
  const [row] = await execute(
    server.url,
    `SELECT current_setting('max_connections') AS most, current_setting('shared_preload_libraries') AS loaded`,
  );
  expect(row).toEqual({ most: '11', loaded: 'pg_stat_statements' });
});

test('upper case knows letters outside ASCII on every machine', async () => {
  await using server = await startServer({ durable: false });
  expect(await execute(server.url, `SELECT upper('nyambùra') AS name`)).toEqual([{ name: 'NYAMBÙRA' }]);
});

test('two servers run side by side, each with its own data', async () => {
  await using first = await startServer({ durable: false });
  await using second = await startServer({ durable: false });
  expect(second.port).not.toBe(first.port);
  await execute(first.url, 'CREATE TABLE only_here (id int)');
  expect(await execute(second.url, `SELECT to_regclass('only_here')::text AS found`)).toEqual([
    { found: null },
  ]);
});

test('servers of the tests are copies of one cluster, save one that asks for an identity of its own', async () => {
  const identify = async (options: ServerOptions) => {
    await using server = await startServer({ durable: false, ...options });
    const [row] = await execute(server.url, 'SELECT system_identifier AS id FROM pg_control_system()');
    return row?.['id'];
  };
  const copied = await identify({});
  expect(await identify({})).toBe(copied);
  expect(await identify({ hasOwnIdentity: true })).not.toBe(copied);
});

test('a server without a data directory leaves nothing behind when it has stopped', async () => {
  const server = await startServer({ durable: false });
  await access(server.dataDirectory);
  await server.stop();
  await expect(access(server.dataDirectory)).rejects.toMatchObject({ code: 'ENOENT' });
  await expect(execute(server.url, 'SELECT 1')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
});

test('a server starts while something else listens on 5432', async () => {
  const other = createServer().listen(5432, '127.0.0.1');
  await once(other, 'listening').catch((error: unknown) => {
    // When another PostgreSQL has the port already, that is the very case of this test.
    if (codeOf(error) !== 'EADDRINUSE') throw error;
  });
  await using server = await startServer({ durable: false });
  expect(server.port).not.toBe(5432);
  expect(await execute(server.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  other.close();
});

test('a port that was asked for is used, and refused by name when it is taken', async () => {
  const port = await findFreePort();
  await using server = await startServer({ durable: false, port });
  expect(server.port).toBe(port);
  await expect(startServer({ durable: false, port })).rejects.toMatchObject({
    code: 'START_FAILED',
    message: expect.stringContaining(`port ${port} is taken`),
  });
});

test('data outlives a stop and a start', async () => {
  await using folder = await createFolder();
  const dataDirectory = join(folder.path, 'data');
  const first = await startServer({ dataDirectory });
  await execute(first.url, 'CREATE TABLE kept AS SELECT 1 AS id');
  await first.stop();
  await using second = await startServer({ dataDirectory });
  expect(await execute(second.url, 'SELECT id FROM kept')).toEqual([{ id: 1 }]);
});

test('a second start on a running server is refused and does the first no harm', async () => {
  await using folder = await createFolder();
  const dataDirectory = join(folder.path, 'data');
  await using server = await startServer({ dataDirectory, durable: false });
  await expect(startServer({ dataDirectory })).rejects.toMatchObject({ code: 'ALREADY_RUNNING' });
  expect(await execute(server.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
});

test('nobody gets in without the password', async () => {
  await using server = await startServer({ durable: false });
  const url = new URL(server.url);
  url.password = 'guess';
  await expect(execute(url.href, 'SELECT 1')).rejects.toMatchObject({ code: '28P01' });
});

test('a folder with other files is refused and left as it is', async () => {
  await using folder = await createFolder();
  await writeFile(join(folder.path, 'letter.txt'), 'mine');
  await expect(startServer({ dataDirectory: folder.path })).rejects.toMatchObject({
    code: 'DIRECTORY_UNSUITABLE',
  });
  expect(await readdir(folder.path)).toEqual(['letter.txt']);
});

test('the data of another major version is refused with both versions', async () => {
  await using folder = await createFolder();
  await writeFile(join(folder.path, 'PG_VERSION'), '15\n');
  await expect(startServer({ dataDirectory: folder.path })).rejects.toMatchObject({
    code: 'VERSION_MISMATCH',
    message: expect.stringMatching(/PostgreSQL 15.*version 18/),
  });
});

test('a data directory below a closed folder is refused by name', async () => {
  await using folder = await createFolder();
  const closed = join(folder.path, 'closed');
  await mkdir(closed, { mode: 0o000 });
  const start = startServer({ dataDirectory: join(closed, 'data') });
  await expect(start).rejects.toMatchObject({ code: 'DIRECTORY_UNREACHABLE' });
  await chmod(closed, 0o700);
});

test('an ordinary user starts, stops and starts again', async () => {
  await using folder = await createFolder();
  const binaries = join(await copyForOthers(locatePackage(), folder.path), 'bin');
  const args = [join(folder.path, 'data'), binaries];
  const first = await runProgram('hold-server.ts', args);
  const [firstUrl = '', , uid] = first.words;
  expect(uid).not.toBe('0');
  await execute(firstUrl, 'CREATE TABLE kept AS SELECT 1 AS id');
  await first.end();
  await expect(execute(firstUrl, 'SELECT 1')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  const second = await runProgram('hold-server.ts', args);
  const [secondUrl = ''] = second.words;
  expect(await execute(secondUrl, 'SELECT id FROM kept')).toEqual([{ id: 1 }]);
  await second.end();
});
