import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { Agent, get } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { json, text } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';

async function startService(...args: string[]): Promise<{ child: ChildProcess; url: string }> {
  const child = fork(fileURLToPath(new URL('shutdown.fixture.ts', import.meta.url)), args, { execArgv: [] });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  const [port] = (await once(child, 'message')) as [number];
  return { child, url: `http://127.0.0.1:${String(port)}` };
}

/** A connection that has sent this; the service may end it with a reset. */
async function openConnection(url: string, sent: string): Promise<Socket> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  socket.on('error', () => {});
  onTestFinished(() => {
    socket.destroy();
  });
  await once(socket, 'connect');
  if (sent !== '') await new Promise((resolve) => socket.write(sent, resolve));
  return socket;
}

const HALF_BODY =
  'POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n"half';

function messagesOf(child: ChildProcess): unknown[] {
  const messages: unknown[] = [];
  child.on('message', (message) => messages.push(message));
  return messages;
}

test('a signal lets the request under way finish, closes its kept-alive connection and exits with 0', async () => {
  const { child, url } = await startService();
  const agent = new Agent({ keepAlive: true });
  const answer = once(get(`${url}/hold`, { agent }), 'response') as Promise<[IncomingMessage]>;
  expect(await once(child, 'message')).toEqual(['holding', undefined]);

  child.kill('SIGTERM');
  expect(await once(child, 'message')).toEqual(['stopping', undefined]);
  await expect(fetch(`${url}/health/ready`)).rejects.toThrow('fetch failed');

  const messages = messagesOf(child);
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

test.each([
  ['that has sent nothing', ''],
  ['that has sent a part of a request head', 'POST /echo HTTP/1.1\r\nHost: x\r\n'],
  [
    'that has sent a part of its second request head',
    'GET /health/live HTTP/1.1\r\nHost: x\r\n\r\nGET /health/live HTTP/1.1\r\nHo',
  ],
])('a connection %s does not hold a stop', async (_what, sent) => {
  const { child, url } = await startService();
  const socket = await openConnection(url, sent);
  socket.resume();
  // A connection that came later is served, so the service knows this one.
  await fetch(`${url}/health/live`);
  const messages = messagesOf(child);
  const exit = once(child, 'exit');
  child.kill('SIGTERM');
  expect(await exit).toEqual([0, null]);
  expect(messages).toEqual(['stopping', 'closed']);
});

test('a body that is completed after the signal is answered', async () => {
  const { child, url } = await startService();
  const silent = await openConnection(url, '');
  const sender = await openConnection(url, HALF_BODY);
  expect(await once(child, 'message')).toEqual(['arriving', undefined]);
  const exit = once(child, 'exit');
  const silentEnd = once(silent, 'close');
  silent.resume();
  child.kill('SIGTERM');
  // The connections without a request are closed by now; this one is not among them.
  await silentEnd;
  sender.write('done"');
  expect(await text(sender)).toMatch(
    /^HTTP\/1\.1 200 OK\r\n[^]*\r\nconnection: close\r\n[^]*\r\n\r\nhalfdone$/i,
  );
  expect(await exit).toEqual([0, null]);
});

test('after the grace period what is left is cut, the close hooks run and the process ends with 1', async () => {
  const { child, url } = await startService('300');
  const sender = await openConnection(url, HALF_BODY);
  expect(await once(child, 'message')).toEqual(['arriving', undefined]);
  const held = fetch(`${url}/hold`);
  expect(await once(child, 'message')).toEqual(['holding', undefined]);
  const messages = messagesOf(child);
  const exit = once(child, 'exit');
  sender.resume();
  child.kill('SIGTERM');
  await expect(held).rejects.toThrow('fetch failed');
  expect(await exit).toEqual([1, null]);
  expect(messages).toEqual(['stopping', 'closed']);
});

test('a close hook that does not end holds the process only a little beyond the grace period', async () => {
  const { child, url } = await startService('100', 'stuck');
  const sender = await openConnection(url, HALF_BODY);
  expect(await once(child, 'message')).toEqual(['arriving', undefined]);
  const messages = messagesOf(child);
  const exit = once(child, 'exit');
  sender.resume();
  child.kill('SIGTERM');
  expect(await exit).toEqual([1, null]);
  expect(messages).toEqual(['stopping', 'closed']);
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
