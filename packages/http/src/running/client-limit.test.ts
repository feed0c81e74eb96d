import { until } from '@repo/testing/until';
import { expect, test } from 'vitest';
import { startTestServer } from '../testing.ts';
import type { TestServer } from '../testing.ts';

const MOST = 3;

/** A server on which `/slow` and the callback wait until they are let go. */
async function startSlowServer() {
  const gate = Promise.withResolvers<void>();
  let began = 0;
  const slow = async () => {
    began += 1;
    await gate.promise;
    return 'done';
  };
  const server = await startTestServer(
    ({ app }) => {
      app.get('/slow', slow);
      app.post('/c2b/:token/confirmation', slow);
    },
    { maxClients: MOST, callbackRoots: ['/c2b'] },
  );
  return { server, letGo: gate.resolve, began: () => began };
}

const ask = ({ url }: TestServer, path: string, init: RequestInit = {}) => fetch(`${url}${path}`, init);

test('beyond the limit clients are refused at once, and let in again when others are answered', async () => {
  const { server, letGo, began } = await startSlowServer();
  await using service = server;
  const waiting = Array.from({ length: MOST }, () => ask(service, '/slow'));
  await until('as many under way as may', () => began() === MOST);
  for (const path of ['/slow', '/nowhere', '/docs']) {
    const refused = await ask(service, path);
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1']);
    expect(await refused.json()).toMatchObject({ code: 'overloaded', type: '/problems/overloaded' });
  }
  expect(began()).toBe(MOST);
  letGo();
  expect((await Promise.all(waiting)).map(({ status }) => status)).toEqual(waiting.map(() => 200));
  await until('room again', async () => (await ask(service, '/slow')).status === 200);
});

test('callbacks, health and metrics are let in whatever is under way, and take no room', async () => {
  const { server, letGo, began } = await startSlowServer();
  await using service = server;
  const callback = () => ask(service, '/c2b/token/confirmation', { method: 'POST' });
  const callbacks = Array.from({ length: 2 * MOST }, callback);
  const clients = Array.from({ length: MOST }, () => ask(service, '/slow'));
  await until('all under way', () => began() === 3 * MOST);
  const late = callback();
  await until('another callback under way', () => began() === 3 * MOST + 1);
  for (const path of ['/health/live', '/health/ready']) expect((await ask(service, path)).status).toBe(200);
  expect((await ask(service, '/slow')).status).toBe(503);
  const metrics = await ask(service, '/metrics', { headers: { authorization: 'Bearer test-key' } });
  expect(await metrics.text()).toContain(
    'http_overload_refusals_total{code="overloaded",service="test"} 1\n',
  );
  letGo();
  const answers = await Promise.all([...callbacks, ...clients, late]);
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
});

test('a client that goes away leaves its room to another', async () => {
  const { server, letGo, began } = await startSlowServer();
  await using service = server;
  const giveUp = new AbortController();
  const gone = Array.from({ length: MOST }, () =>
    ask(service, '/slow', { signal: giveUp.signal }).catch(() => 'gone'),
  );
  await until('as many under way as may', () => began() === MOST);
  giveUp.abort();
  expect(await Promise.all(gone)).toEqual(gone.map(() => 'gone'));
  const room = () => ask(service, '/docs', { redirect: 'manual' });
  await until('room again', async () => (await room()).status !== 503);
  letGo();
});
