import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';

function start(...args: string[]) {
  const program = fileURLToPath(new URL('run-service.fixture.ts', import.meta.url));
  const child = fork(program, args, { execArgv: [], silent: true });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  const { stdout } = child;
  if (stdout === null) throw new Error('the process has no output');
  return { child, log: text(stdout), exit: once(child, 'exit') };
}

test.each(['SIGTERM', 'SIGINT'] as const)(
  '%s closes what the requests use and ends with 0',
  async (signal) => {
    const { child, log, exit } = start('0', 'ready');
    expect(await once(child, 'message')).toEqual(['running', undefined]);
    const message = once(child, 'message');
    child.kill(signal);
    expect(await message).toEqual(['closed', undefined]);
    expect(await exit).toEqual([0, null]);
    expect(await log).toContain('Server listening at');
    expect(await log).not.toContain('the database cannot be used yet');
  },
);

test('without its database a service runs and says so', async () => {
  const { child, log, exit } = start('0', 'away');
  await once(child, 'message');
  child.kill('SIGTERM');
  expect(await exit).toEqual([0, null]);
  expect(await log).toContain('the database cannot be used yet; requests are answered 503 until it can');
});

test('with a database that would forget payments it ends with 78 and says so', async () => {
  const { log, exit } = start('0', 'forgetful');
  expect(await exit).toEqual([78, null]);
  expect(await log).toContain('the database would lose payments that were acknowledged');
});

test('on a port that is taken it ends with 1 and says what to set', async () => {
  const other = createServer();
  other.listen(0, '127.0.0.1');
  await once(other, 'listening');
  onTestFinished(() => {
    other.close();
  });
  const { log, exit } = start(String((other.address() as AddressInfo).port));
  expect(await exit).toEqual([1, null]);
  expect(await log).toContain('cannot listen; set HOST and FIXTURE_PORT');
});
