import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { bareEnvironment } from '@repo/testing/env';
import { expect, onTestFinished, test } from 'vitest';

const main = fileURLToPath(new URL('main.ts', import.meta.url));

/** Runs the service with an environment in which it cannot start, to its end. */
async function runToEnd(env: Record<string, string>) {
  const child = spawn(process.execPath, [main], {
    env: { ...bareEnvironment(), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  return { out, err, code: code as number };
}

const COMPLETE = {
  DATABASE_URL: 'postgresql://nobody:hunter2@127.0.0.1:1/none',
  API_KEY: 'a-secret-key',
  MPESA_CALLBACK_TOKEN: 'V1StGXR8Z5jdHi6BmyT0kL9w',
};

test('without its settings it ends with 78 and one message that names each of them', async () => {
  const { out, err, code } = await runToEnd({ API_KEY: 'a-secret-key' });
  expect(code).toBe(78);
  expect(out).toBe('');
  expect(err).toContain('DATABASE_URL          is not set');
  expect(err).toContain('MPESA_CALLBACK_TOKEN  is not set');
  expect(err).not.toContain('API_KEY');
  expect(err).not.toMatch(/^\s+at /m);
});

test('without its database it says so, answers 503, and ends in order', async () => {
  const child = spawn(process.execPath, [main], {
    env: { ...bareEnvironment(), ...COMPLETE, MPESA_PORT: '0' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  const lines = createInterface(child.stdout);
  let log = '';
  for await (const line of lines) {
    log += line;
    if (line.includes('the database cannot be used yet')) break;
  }
  child.stdout.resume();
  expect(log).toContain('database_unavailable');
  expect(log).not.toContain('hunter2');
  const url = /listening at (http:[^"]+)/.exec(log)?.[1] ?? '';
  expect((await fetch(`${url}/health/live`)).status).toBe(200);
  expect((await fetch(`${url}/health/ready`)).status).toBe(503);
  const path = `/c2b/${COMPLETE.MPESA_CALLBACK_TOKEN}/confirmation`;
  expect((await fetch(`${url}${path}`, { method: 'POST', body: '{}' })).status).toBe(503);
  const exit = once(child, 'exit');
  child.kill('SIGTERM');
  expect(await exit).toEqual([0, null]);
});

test('on a port that is taken it ends with 1 and says what to set', async () => {
  const other = createServer();
  other.listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  const { out, code } = await runToEnd({ ...COMPLETE, MPESA_PORT: String(port) });
  other.close();
  expect(code).toBe(1);
  expect(out).toContain('set HOST and MPESA_PORT');
  expect(out).toContain('EADDRINUSE');
  expect(out).not.toContain('hunter2');
});
