import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, chmod, copyFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { until } from '@repo/testing/until';
import { expect, onTestFinished, test } from 'vitest';
import { findAccount } from './account.ts';
import type { Account } from './account.ts';
import { copyForOthers } from './binaries-copy.ts';
import { locatePackage } from './binaries.ts';
import { execute } from './database.ts';
import { createFolder } from './fixtures/folder.ts';
import { runProgram } from './fixtures/program.ts';
import { isAlive, isTaken } from './processes.ts';
import { startServer } from './server.ts';

test('after a crash what was committed is there and the stale pid file is no obstacle', async () => {
  await using folder = await createFolder();
  const dataDirectory = join(folder.path, 'data');
  const first = await startServer({ dataDirectory });
  await execute(first.url, 'CREATE TABLE kept AS SELECT 1 AS id');
  await first.kill();
  await access(join(dataDirectory, 'postmaster.pid'));
  await using second = await startServer({ dataDirectory });
  expect(await execute(second.url, 'SELECT id FROM kept')).toEqual([{ id: 1 }]);
});

/** What a crash leaves: a pid file that says that a server is ready. */
async function writePidFile(dataDirectory: string, pid: number | undefined, port: number): Promise<void> {
  const lines = [pid, dataDirectory, 1700000000, port, '', '127.0.0.1', '', 'ready', ''];
  const path = join(dataDirectory, 'postmaster.pid');
  await writeFile(path, lines.join('\n'));
  await chmod(path, 0o666);
}

test('a pid file that names another program of the same account is no obstacle', async () => {
  await using folder = await createFolder();
  const dataDirectory = join(folder.path, 'data');
  const first = await startServer({ dataDirectory, durable: false });
  await first.stop();
  const other = spawn('sleep', ['60'], { ...(await findAccount(dataDirectory)) });
  await writePidFile(dataDirectory, other.pid, first.port);
  await using second = await startServer({ dataDirectory, durable: false });
  expect(await execute(second.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  other.kill();
});

/** A process named `postgres` that has ended and whose parent does not ask how; only Linux shows such a process. */
async function leaveUnasked(folder: string, account: Account | undefined): Promise<number> {
  const program = join(folder, 'postgres');
  await copyFile('/bin/cat', program);
  // The shell becomes a program that never asks after its child, which ends with its input.
  const script = 'exec 3<&0; "$1" <&3 & echo $!; exec sleep 3600 <&- 3<&-';
  const parent = spawn('/bin/sh', ['-c', script, 'sh', program], { ...account });
  onTestFinished(() => void parent.kill());
  const pid = Number(await once(createInterface(parent.stdout), 'line'));
  const readName = () => readFile(`/proc/${parent.pid}/comm`, 'utf8');
  await until('the parent to be another program', readName, { isFit: (name) => name === 'sleep\n' });
  parent.stdin.end();
  await until(`process ${pid} to end`, () => !isAlive(pid));
  return pid;
}

test.runIf(process.platform === 'linux')(
  'a pid file that names a server which has ended, and whose parent has not asked how, is no obstacle',
  async () => {
    await using folder = await createFolder();
    const dataDirectory = join(folder.path, 'data');
    const first = await startServer({ dataDirectory, durable: false });
    await first.stop();
    const pid = await leaveUnasked(folder.path, await findAccount(dataDirectory));
    expect(isTaken(pid)).toBe(true);
    await writePidFile(dataDirectory, pid, first.port);
    await using second = await startServer({ dataDirectory, durable: false });
    expect(await execute(second.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  },
);

test('an empty pid file, which a machine leaves that stopped at the wrong moment, is no obstacle', async () => {
  await using folder = await createFolder();
  const dataDirectory = join(folder.path, 'data');
  const first = await startServer({ dataDirectory, durable: false });
  await first.stop();
  const pidFile = join(dataDirectory, 'postmaster.pid');
  await writeFile(pidFile, '');
  await chmod(pidFile, 0o666);
  await using second = await startServer({ dataDirectory, durable: false });
  expect(await execute(second.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
});

test('a server ends when the process that started it is killed', async () => {
  await using folder = await createFolder();
  const binaries = join(await copyForOthers(locatePackage(), folder.path), 'bin');
  const owner = await runProgram('hold-server.ts', [join(folder.path, 'data'), binaries]);
  const [url = '', pid] = owner.words;
  await execute(url, 'SELECT 1');
  await owner.end('SIGKILL');
  await until(`server ${pid} to end`, () => !isAlive(Number(pid)));
});
