import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, readdir, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { until } from '@repo/testing/until';
import { expect, test } from 'vitest';
import { findAccount } from './account.ts';
import { findBinaries } from './binaries.ts';
import { execute } from './database.ts';
import { createFolder } from './fixtures/folder.ts';
import { runProgram } from './fixtures/program.ts';
import { findFreePort } from './port.ts';
import { findPostmaster } from './postmaster.ts';
import { isAlive, signal } from './processes.ts';
import { findDevelopmentServer, openDevelopmentServer, startServer } from './server.ts';

const ONE = [{ one: 1 }];

test('the second command uses the server of the first, and the last one to leave stops it', async () => {
  await using folder = await createFolder();
  const first = await openDevelopmentServer(folder.path);
  const second = await openDevelopmentServer(folder.path);
  expect([first.started, second.started]).toEqual([true, false]);
  expect(second.url).toBe(first.url);
  await first.stop();
  expect(await execute(second.url, 'SELECT 1 AS one')).toEqual(ONE);
  await second.stop();
  await expect(execute(second.url, 'SELECT 1')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
});

test('of four commands that start at the same time on an empty folder one starts the server', async () => {
  await using folder = await createFolder();
  const servers = await Promise.all([1, 2, 3, 4].map(() => openDevelopmentServer(folder.path)));
  expect(servers.filter((server) => server.started)).toHaveLength(1);
  expect(new Set(servers.map((server) => server.url)).size).toBe(1);
  for (const server of servers) await server.stop();
});

test('data is there again when the next command starts the server again', async () => {
  await using folder = await createFolder();
  const first = await openDevelopmentServer(folder.path);
  await execute(first.url, 'CREATE TABLE kept AS SELECT 1 AS one');
  await first.stop();
  await using second = await openDevelopmentServer(folder.path);
  expect(second.started).toBe(true);
  expect(await execute(second.url, 'SELECT one FROM kept')).toEqual(ONE);
});

test('its address stays the same from one start to the next, and only the running server has one', async () => {
  await using folder = await createFolder();
  expect(await findDevelopmentServer(folder.path)).toBeNull();
  const first = await openDevelopmentServer(folder.path);
  expect(await findDevelopmentServer(folder.path)).toBe(first.url);
  await first.stop();
  expect(await findDevelopmentServer(folder.path)).toBeNull();
  await using second = await openDevelopmentServer(folder.path);
  expect(second.url).toBe(first.url);
});

test('where its port is taken it takes another, and keeps that', async () => {
  await using folder = await createFolder();
  const first = await openDevelopmentServer(folder.path);
  await first.stop();
  const other = createServer().listen(Number(new URL(first.url).port), '127.0.0.1');
  await once(other, 'listening');
  const second = await openDevelopmentServer(folder.path);
  await second.stop();
  expect(second.url).not.toBe(first.url);
  other.close();
  await using third = await openDevelopmentServer(folder.path);
  expect(third.url).toBe(second.url);
});

test('a command that is killed takes nothing from another, and the server ends with the last of them', async () => {
  await using folder = await createFolder();
  const starter = await runProgram('hold-development-server.ts', [folder.path]);
  const other = await runProgram('hold-development-server.ts', [folder.path]);
  const [url = '', started] = other.words;
  expect([starter.words[1], started]).toEqual(['true', 'false']);
  const postmaster = await findPostmaster(join(folder.path, '.daftari', 'postgres'));
  await starter.end('SIGKILL');
  expect(await execute(url, 'SELECT 1 AS one')).toEqual(ONE);
  await other.end('SIGKILL');
  await until('the server to end', () => !isAlive(postmaster?.pid ?? process.pid));
});

test('a server that is about to end is replaced, not joined', async () => {
  await using folder = await createFolder();
  const first = await openDevelopmentServer(folder.path);
  const directory = join(folder.path, '.daftari', 'postgres');
  const before = await findPostmaster(directory);
  // Its keeper removes the pipe of the users first of all.
  const pipes = (await readdir(directory)).filter((name) => name.startsWith('lease.'));
  for (const name of pipes) await rm(join(directory, name));
  await using second = await openDevelopmentServer(folder.path);
  expect(second.started).toBe(true);
  expect((await findPostmaster(directory))?.pid).not.toBe(before?.pid);
  expect(await execute(second.url, 'SELECT 1 AS one')).toEqual(ONE);
  await first.stop();
});

test('a server that crashed under its users is started again by the next command', async () => {
  await using folder = await createFolder();
  await using first = await openDevelopmentServer(folder.path);
  const crashed = await findPostmaster(join(folder.path, '.daftari', 'postgres'));
  signal(crashed?.pid ?? process.pid, 'SIGKILL');
  await using second = await openDevelopmentServer(folder.path);
  expect([first.started, second.started]).toEqual([true, true]);
  expect(await execute(second.url, 'SELECT 1 AS one')).toEqual(ONE);
});

test('a server that was started by hand is used and left running', async () => {
  await using folder = await createFolder();
  const dataDirectory = join(folder.path, '.daftari', 'postgres');
  await (await startServer({ dataDirectory, durable: false })).stop();
  const account = await findAccount(dataDirectory);
  const program = join((await findBinaries(account)).directory, 'postgres');
  // The record of the last start would name a pipe; a start by hand overwrites it.
  const args = ['-D', dataDirectory, '-p', String(await findFreePort()), '-c', 'unix_socket_directories='];
  const byHand = spawn(program, args, { ...account, cwd: '/', stdio: 'ignore' });
  await until('the server to be ready', async () => (await findPostmaster(dataDirectory))?.ready);
  const opened = await openDevelopmentServer(folder.path);
  expect(opened.started).toBe(false);
  await opened.stop();
  expect(await execute(opened.url, 'SELECT 1 AS one')).toEqual(ONE);
  const pid = byHand.pid ?? 0;
  signal(pid, 'SIGINT');
  await until('the server to end', () => !isAlive(pid));
});

test('the password lies in a file that only its owner can read', async () => {
  await using folder = await createFolder();
  await using server = await openDevelopmentServer(folder.path);
  const path = join(folder.path, '.daftari', 'postgres', 'daftari.password');
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect(new URL(server.url).password).toBe((await readFile(path, 'utf8')).trim());
});
