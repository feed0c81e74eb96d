import { getEventListeners, once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { Pool, interceptors } from 'undici';
import { expect, onTestFinished, test, vi } from 'vitest';
import { exchange } from './exchange.ts';

const REQUEST = { method: 'POST', path: '/', headers: [], body: 'x=1' } as const;
const OPTIONS = { timeoutMs: 60_000, maxBytes: 1_000 };

/** A server that reads a request and closes the connection, and a client that takes it up again when that happens. */
async function startUnreliable() {
  const seen = { requests: 0 };
  const server = createServer((socket) => {
    socket.once('data', () => {
      seen.requests += 1;
      socket.destroy();
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const pool = new Pool(`http://127.0.0.1:${String((server.address() as AddressInfo).port)}`);
  onTestFinished(() => pool.close());
  const retrying = interceptors.retry({
    methods: ['POST'],
    maxRetries: 3,
    minTimeout: 1,
    errorCodes: ['ECONNRESET', 'UND_ERR_SOCKET'],
  });
  return { seen, client: pool.compose(retrying) };
}

test('a request is not written twice, even by a client that takes it up again', async () => {
  const { seen, client } = await startUnreliable();
  await expect(client.request(REQUEST)).rejects.toThrow();
  expect(seen.requests).toBe(4);
  const end = await exchange(client, { ...REQUEST, headers: [] }, OPTIONS);
  expect(end).toMatchObject({ kind: 'failed', started: true, why: 'error' });
  expect(seen.requests).toBe(5);
});

test('an exchange that ended leaves no listener on a signal that many share', async () => {
  const { client } = await startUnreliable();
  const { signal } = new AbortController();
  const running = exchange(client, { ...REQUEST, headers: [] }, { ...OPTIONS, signal });
  expect(getEventListeners(signal, 'abort')).toHaveLength(1);
  await running;
  expect(getEventListeners(signal, 'abort')).toHaveLength(0);
});

test('an exchange that ended leaves no timer behind that would keep the process', async () => {
  const { client } = await startUnreliable();
  const started = vi.spyOn(globalThis, 'setTimeout');
  const cleared = vi.spyOn(globalThis, 'clearTimeout');
  onTestFinished(() => void vi.restoreAllMocks());
  // A time by which it is told from the timers of the HTTP client and of the tests.
  const timeoutMs = 54_321;
  await exchange(client, { ...REQUEST, headers: [] }, { ...OPTIONS, timeoutMs });
  const call = started.mock.calls.findIndex(([, delay]) => delay === timeoutMs);
  expect(call).not.toBe(-1);
  expect(cleared).toHaveBeenCalledWith(started.mock.results[call]?.value);
});
