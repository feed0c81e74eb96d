import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { Agent, get } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { fileURLToPath } from 'node:url';
import { json, text } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';

async function startService(): Promise<{ child: ChildProcess; url: string }> {
  const child = fork(fileURLToPath(new URL('shutdown.fixture.ts', import.meta.url)), { execArgv: [] });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  const [port] = (await once(child, 'message')) as [number];
  return { child, url: `http://127.0.0.1:${String(port)}` };
}

test('a signal lets the request under way finish, closes its kept-alive connection and exits with 0', async () => {
  const { child, url } = await startService();
  const agent = new Agent({ keepAlive: true });
  const answer = once(get(`${url}/hold`, { agent }), 'response') as Promise<[IncomingMessage]>;
  expect(await once(child, 'message')).toEqual(['holding', undefined]);

  child.kill('SIGTERM');
  expect(await once(child, 'message')).toEqual(['stopping', undefined]);
  await expect(fetch(`${url}/health/ready`)).rejects.toThrow('fetch failed');

  const messages: unknown[] = [];
  child.on('message', (message) => messages.push(message));
  const exit = once(child, 'exit');
  child.send('release');
  const [response] = await answer;
  expect(response.headers.connection).toBe('close');
  expect(await json(response)).toEqual({ held: true });
  expect(await exit).toEqual([0, null]);
  expect(messages).toEqual(['closed']);
});

test('an answer that was on its way when the signal came is finished, and its connection does not hold the process', async () => {
  const { child, url } = await startService();
  const agent = new Agent({ keepAlive: true });
  const [response] = (await once(get(`${url}/trickle`, { agent }), 'response')) as [IncomingMessage];
  expect(response.headers.connection).toBe('keep-alive');
  child.kill('SIGTERM');
  expect(await once(child, 'message')).toEqual(['stopping', undefined]);
  const exit = once(child, 'exit');
  child.send('release');
  expect(await text(response)).toBe('first,last');
  expect(await exit).toEqual([0, null]);
});

test('a second signal ends the process at once with 1', async () => {
  const { child, url } = await startService();
  const answer = fetch(`${url}/hold`);
  await once(child, 'message');
  child.kill('SIGTERM');
  await once(child, 'message');
  const exit = once(child, 'exit');
  child.kill('SIGTERM');
  await expect(answer).rejects.toThrow('fetch failed');
  expect(await exit).toEqual([1, null]);
});

test('an error that nobody caught ends the process with 1', async () => {
  const { child, url } = await startService();
  const exit = once(child, 'exit');
  await fetch(`${url}/crash`).catch(() => null);
  expect(await exit).toEqual([1, null]);
});
