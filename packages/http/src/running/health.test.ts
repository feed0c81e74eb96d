import { Agent, get } from 'node:http';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { expect, test } from 'vitest';
import { createLifecycle } from './lifecycle.ts';
import { createServer } from '../server.ts';
import { startTestServer } from '../testing.ts';

test('readiness follows its check and liveness does not', async () => {
  let databaseIsUp = true;
  const readiness = () =>
    databaseIsUp ? Promise.resolve() : Promise.reject(new Error('the database is down'));
  await using service = await startTestServer(() => {}, { readiness });
  expect((await fetch(`${service.url}/health/ready`)).status).toBe(200);
  databaseIsUp = false;
  const response = await fetch(`${service.url}/health/ready`);
  expect(response.status).toBe(503);
  expect(await response.json()).toMatchObject({ code: 'not_ready' });
  expect((await fetch(`${service.url}/health/live`)).status).toBe(200);
  databaseIsUp = true;
  expect((await fetch(`${service.url}/health/ready`)).status).toBe(200);
});

test('readiness is refused before the server listens', async () => {
  const { app } = await createServer({
    service: 'test',
    description: 'A service of the tests.',
    version: '0.0.0',
    logLevel: 'silent',
    apiKeys: [],
    readiness: () => Promise.resolve(),
  });
  const response = await app.inject('/health/ready');
  expect(response.statusCode).toBe(503);
  expect(response.json()).toMatchObject({ detail: 'It is starting.' });
  await app.close();
});

test('readiness is refused on an open connection while the server stops', async () => {
  await using service = await startTestServer(() => {});
  const agent = new Agent({ keepAlive: true });
  service.server.lifecycle.stop();
  const [response] = (await once(get(`${service.url}/health/ready`, { agent }), 'response')) as [
    IncomingMessage,
  ];
  response.resume();
  expect(response.statusCode).toBe(503);
  expect(response.headers.connection).toBe('close');
  agent.destroy();
});

test('many probes at once cost one check', async () => {
  let checks = 0;
  const { promise: answer, resolve } = Promise.withResolvers<void>();
  const readiness = () => {
    checks += 1;
    return answer;
  };
  await using service = await startTestServer(() => {}, { readiness });
  const { app } = service.server;
  const probes = [1, 2, 3].map(() => app.inject('/health/ready'));
  // A request that was sent after the probes is answered only when they have all begun their check.
  await app.inject('/health/live');
  resolve();
  expect((await Promise.all(probes)).map((probe) => probe.statusCode)).toEqual([200, 200, 200]);
  expect(checks).toBe(1);
});

test('a server that stopped does not run again', () => {
  const lifecycle = createLifecycle();
  lifecycle.stop();
  lifecycle.run();
  expect(lifecycle.phase).toBe('stopping');
});
