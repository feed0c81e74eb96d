import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { until } from '@repo/testing/until';
import { expect, onTestFinished, test } from 'vitest';
import { addCallbackScope } from '../bodies/callback-scope.ts';
import { rawBodyOf } from '../bodies/raw-body.ts';
import { stopServer } from './shutdown.ts';
import { startTestServer } from '../testing.ts';
import type { TestServer } from '../testing.ts';

const MOST_UNDER_WAY = 6;
const MOST_CALLBACKS = 4;

/** A server whose callbacks wait until the test lets them go, and what they brought. */
interface Held {
  readonly service: TestServer;
  readonly taken: string[];
  readonly seen: { most: number };
  readonly release: () => void;
}

async function startHeldServer(): Promise<Held> {
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const taken: string[] = [];
  const seen = { most: 0 };
  const service = await startTestServer(
    (server) => {
      const { app, admit, connections } = server;
      const keepStray = () => Promise.resolve();
      void addCallbackScope(app, { roots: ['/c'], token: 'token', keepStray, admit }, (scope) => {
        scope.post('/c/:token/in', async (request) => {
          seen.most = Math.max(seen.most, connections.underWay);
          taken.push(rawBodyOf(request).bytes.toString());
          await released;
          return 'taken';
        });
      });
    },
    { maxCallbacks: MOST_CALLBACKS, maxUnderWay: MOST_UNDER_WAY, callbackRoots: ['/c'] },
  );
  onTestFinished(() => {
    release();
    return service[Symbol.asyncDispose]();
  });
  return { service, taken, seen, release };
}

/** A sender who keeps a connection, and the statuses of the answers that it got. */
interface Sender {
  readonly socket: Socket;
  readonly statuses: number[];
  readonly send: (body: string) => void;
}

function openSender({ url }: TestServer): Sender {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  const statuses: number[] = [];
  socket.setEncoding('utf8');
  socket.on('data', (text) => {
    for (const [, status] of String(text).matchAll(/HTTP\/1\.1 (\d{3})/g)) statuses.push(Number(status));
  });
  socket.on('error', () => {});
  onTestFinished(() => {
    socket.destroy();
  });
  const send = (body: string) =>
    void socket.write(
      `POST /c/token/in HTTP/1.1\r\nHost: x\r\nContent-Length: ${String(body.length)}\r\n\r\n${body}`,
    );
  return { socket, statuses, send };
}

const SENDERS = 40;

const answersOf = (senders: readonly Sender[]) => senders.flatMap(({ statuses }) => statuses);

/** Waits until nothing more is taken in: all that may be read is read, and all others are known to wait. */
async function untilFull({ service: { server } }: Held, open: number): Promise<void> {
  const { connections } = server;
  const state = () => [connections.open, connections.underWay, connections.unread];
  const isFit = () => connections.open === open && connections.underWay + connections.unread === open;
  await until('all connections under way or unread', state, { isFit });
}

test('beyond its room a server reads nothing more, and afterwards it answers everybody', async () => {
  const held = await startHeldServer();
  const { connections } = held.service.server;
  const senders = Array.from({ length: SENDERS }, () => openSender(held.service));
  senders.forEach(({ send }, place) => send(`message ${String(place)}`));
  await untilFull(held, SENDERS);
  expect([connections.underWay, connections.unread]).toEqual([MOST_UNDER_WAY, SENDERS - MOST_UNDER_WAY]);
  // Of what is under way the bodies are read a little later.
  await until('the callbacks that have room', () => held.taken.length === MOST_CALLBACKS);

  held.release();
  await until('an answer for each', () => answersOf(senders).length === SENDERS);
  expect(new Set(answersOf(senders))).toEqual(new Set([200]));
  expect(new Set(held.taken).size).toBe(SENDERS);
  expect(held.seen.most).toBeLessThanOrEqual(MOST_UNDER_WAY);
  // An answered connection waits its turn before it is read again.
  await until('nothing under way, and nothing unread', () => connections.underWay + connections.unread === 0);
});

test('connections that were answered before wait in the same line, and lose nothing', async () => {
  const held = await startHeldServer();
  const { connections } = held.service.server;
  const senders = Array.from({ length: SENDERS }, () => openSender(held.service));
  await until('all connections', () => connections.open === SENDERS);
  // They are read, and silent: none of them may be taken for one with something to say.
  senders.forEach(({ send }, place) => send(`first ${String(place)}`));
  await until('as much under way as may be', () => connections.underWay >= MOST_UNDER_WAY);
  senders.forEach(({ send }, place) => send(`second ${String(place)}`));
  held.release();
  await until('two answers for each', () => answersOf(senders).length === 2 * SENDERS);
  expect(new Set(answersOf(senders))).toEqual(new Set([200]));
  expect(new Set(held.taken).size).toBe(2 * SENDERS);
});

test('silent connections do not keep the others from being read', async () => {
  const held = await startHeldServer();
  const { connections } = held.service.server;
  const first = Array.from({ length: MOST_UNDER_WAY }, () => openSender(held.service));
  first.forEach(({ send }) => send('first'));
  await untilFull(held, MOST_UNDER_WAY);
  const silent = Array.from({ length: 3 * MOST_UNDER_WAY }, () => openSender(held.service));
  await until('the silent ones unread', () => connections.unread === silent.length);
  const last = openSender(held.service);
  last.send('last');
  held.release();
  await until('the answer to the last', () => last.statuses.length === 1);
  expect(last.statuses).toEqual([200]);
});

test('a message whose sender has gone away is worked on, and counts until it is done', async () => {
  const held = await startHeldServer();
  const { connections } = held.service.server;
  const senders = Array.from({ length: MOST_UNDER_WAY }, () => openSender(held.service));
  senders.forEach(({ send }, place) => send(`message ${String(place)}`));
  await untilFull(held, MOST_UNDER_WAY);
  senders.forEach(({ socket }) => socket.destroy());
  await until('the connections gone', () => connections.open === 0);
  expect(connections.underWay).toBe(MOST_UNDER_WAY);
  held.release();
  await until('nothing under way', () => connections.underWay === 0);
  expect(new Set(held.taken).size).toBe(MOST_UNDER_WAY);
});

test('a server that stops reads and answers what was waiting outside', async () => {
  const held = await startHeldServer();
  const senders = Array.from({ length: SENDERS }, () => openSender(held.service));
  senders.forEach(({ send }, place) => send(`message ${String(place)}`));
  await untilFull(held, SENDERS);
  const stopping = stopServer(held.service.server);
  await until('all of it read', () => held.service.server.connections.underWay === SENDERS);
  held.release();
  await stopping;
  await turn();
  await until('an answer for each', () => answersOf(senders).length === SENDERS);
  expect(new Set(answersOf(senders))).toEqual(new Set([200]));
});
