import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { startAfricasTalking } from '@repo/simulator';
import type { AfricasTalkingSimulator, Behaviour } from '@repo/simulator';
import { until } from '@repo/testing/until';
import { expect, onTestFinished, test } from 'vitest';
import { createAfricasTalking } from './client.ts';
import type { AfricasTalkingOptions } from './request.ts';
import type { Provider } from '../provider.ts';

const NUMBER = '254700000126';
const HASH = 'ab'.repeat(32);
let count = 0;

function messageTo(to: string, text = 'Dear Ng’ang’a & co: 5% = KES 1,500.00 + fees? 👍') {
  count += 1;
  return { id: `m${String(count)}`, recipient: { kind: 'number', number: to }, text } as const;
}

function open(baseUrl: string, options: Partial<AfricasTalkingOptions> = {}): Provider {
  const provider = createAfricasTalking({
    baseUrl,
    username: 'sandbox',
    apiKey: 'simulated-key',
    timeoutMs: 60_000,
    ...options,
  });
  onTestFinished(() => provider.close());
  return provider;
}

async function simulate(behaviour: Behaviour = { kind: 'accept' }): Promise<AfricasTalkingSimulator> {
  const simulator = await startAfricasTalking({ behaviour: () => behaviour });
  onTestFinished(() => simulator.close());
  return simulator;
}

test('a message arrives exactly as it was written and comes back with id, cost and parts', async () => {
  const simulator = await simulate();
  const message = messageTo(NUMBER);
  const answer = await open(simulator.url, { senderId: 'DAFTARI & SONS' }).send(message);
  const [booked] = simulator.messages();
  expect(booked).toMatchObject({ recipient: `+${NUMBER}`, text: message.text });
  expect(answer).toEqual({
    kind: 'accepted',
    providerMessageId: booked?.id,
    cost: '0.8000',
    currency: 'KES',
    costText: 'KES 0.8000',
    parts: 1,
    providerStatus: '101 Success',
  });
});

test('a hash of Safaricom goes by the JSON endpoint, and other hashes nowhere', async () => {
  const simulator = await simulate();
  const provider = open(simulator.url);
  const send = (recipient: string, network: 'Safaricom' | 'Airtel') =>
    provider.send({ id: 'm', recipient: { kind: 'hash', hash: recipient, network }, text: 'Hi “you”' });
  expect(await send(HASH, 'Safaricom')).toMatchObject({ kind: 'accepted', cost: '0.8000' });
  expect(simulator.messages()).toMatchObject([{ recipient: HASH, text: 'Hi “you”' }]);
  expect(await send(HASH, 'Airtel')).toMatchObject({ kind: 'refused', code: 'hash_unsupported' });
  expect(await send('xyz', 'Safaricom')).toMatchObject({ kind: 'refused', code: 'invalid_number' });
  expect(simulator.book().requests).toBe(1);
});

test.each(['2547 ***** 126', '', '0700000126', '+254700000126', '25470000012a', '254'])(
  'what is no number, such as %j, is refused without a request',
  async (to) => {
    const simulator = await simulate();
    expect(await open(simulator.url).send(messageTo(to))).toMatchObject({
      kind: 'refused',
      code: 'invalid_number',
      facts: null,
    });
    expect(simulator.book().requests).toBe(0);
  },
);

test('an empty text is refused without a request', async () => {
  const simulator = await simulate();
  expect(await open(simulator.url).send(messageTo(NUMBER, ''))).toMatchObject({
    kind: 'refused',
    code: 'message_empty',
  });
});

test.each<[string, Behaviour, object]>([
  ['a blacklisted customer', { kind: 'refuse', code: 406 }, { kind: 'refused', code: 'blacklisted' }],
  [
    'a sender id nobody knows',
    { kind: 'refuse-request', word: 'InvalidSenderId' },
    { kind: 'retry', scope: 'provider', code: 'invalid_sender' },
  ],
  [
    'too many requests',
    { kind: 'http', status: 429, retryAfter: '3' },
    { kind: 'retry', scope: 'provider', code: 'throttled', retryAfterMs: 3_000 },
  ],
  ['a failure of the server', { kind: 'http', status: 500 }, { kind: 'unknown', code: 'server_error' }],
  ['a failure after it was accepted', { kind: 'accept', answer: 'failed' }, { kind: 'unknown' }],
  [
    'an answer that is a page',
    { kind: 'accept', answer: 'unreadable' },
    { kind: 'unknown', code: 'answer_unreadable' },
  ],
  [
    'a connection closed instead of an answer',
    { kind: 'accept', answer: 'dropped' },
    { kind: 'unknown', code: 'connection_lost' },
  ],
  ['half an answer', { kind: 'accept', answer: 'cut' }, { kind: 'unknown', code: 'connection_lost' }],
  ['a reset', { kind: 'reset' }, { kind: 'unknown', code: 'connection_lost' }],
])('%s', async (_what, behaviour, expected) => {
  const simulator = await simulate(behaviour);
  expect(await open(simulator.url).send(messageTo(NUMBER))).toMatchObject(expected);
  expect(simulator.book().requests).toBe(1);
});

test('a wrong key pauses the provider', async () => {
  const simulator = await simulate();
  const provider = open(simulator.url, { apiKey: 'wrong' });
  expect(await provider.send(messageTo(NUMBER))).toMatchObject({
    kind: 'retry',
    scope: 'provider',
    code: 'authentication',
  });
  expect(await provider.balance()).toBeNull();
});

test('no answer in time: the message is unknown, once, and the book has it', async () => {
  const simulator = await simulate({ kind: 'accept', answer: 'never' });
  const answer = await open(simulator.url, { timeoutMs: 2_000 }).send(messageTo(NUMBER));
  expect(answer).toMatchObject({ kind: 'unknown', code: 'timeout', facts: null });
  expect(simulator.book()).toMatchObject({ requests: 1, accepted: 1 });
});

test('a request that found no free connection in time has surely not left, also not later', async () => {
  const simulator = await simulate({ kind: 'accept', answer: 'never' });
  const provider = open(simulator.url, { connections: 1, timeoutMs: 2_000 });
  const [first, second] = [messageTo(NUMBER, 'one'), messageTo(NUMBER, 'two')];
  const sending = provider.send(first);
  await until('one request', () => simulator.book().requests, { isFit: (requests) => requests === 1 });
  // Its turn comes when the first is given up, and by then it is itself.
  const cancel = new AbortController();
  const waiting = provider.send(second, cancel.signal);
  cancel.abort();
  expect(await waiting).toMatchObject({ kind: 'retry', scope: 'message', code: 'cancelled' });
  expect(await sending).toMatchObject({ kind: 'unknown', code: 'timeout' });
  simulator.configure({ behaviour: () => ({ kind: 'accept' }) });
  expect(await provider.send(messageTo(NUMBER, 'three'))).toMatchObject({ kind: 'accepted' });
  expect(simulator.messages().map(({ text }) => text)).toEqual(['one', 'three']);
});

test('the deadline of a request that waits for a connection ends as surely not sent', async () => {
  // Where the second begins to wait a moment later than the first, it has that moment on the connection that the first
  // gives up, may leave, and is unknown as well. So it is tried until both begin at the same moment.
  for (;;) {
    const simulator = await simulate({ kind: 'accept', answer: 'never' });
    const provider = open(simulator.url, { connections: 1, timeoutMs: 2_000 });
    const [first, second] = await Promise.all([
      provider.send(messageTo(NUMBER, 'one')),
      provider.send(messageTo(NUMBER, 'two')),
    ]);
    expect(first).toMatchObject({ kind: 'unknown', code: 'timeout' });
    if (second.kind === 'unknown') continue;
    expect(second).toMatchObject({ kind: 'retry', scope: 'provider', code: 'no_free_connection' });
    expect(simulator.messages().map(({ text }) => text)).toEqual(['one']);
    break;
  }
});

test('an aborted signal: unknown after the request left, and no request at all before', async () => {
  const simulator = await simulate({ kind: 'accept', answer: 'never' });
  const provider = open(simulator.url);
  const abort = new AbortController();
  const sending = provider.send(messageTo(NUMBER), abort.signal);
  await until('one request', () => simulator.book().requests, { isFit: (requests) => requests === 1 });
  abort.abort();
  expect(await sending).toMatchObject({ kind: 'unknown', code: 'abandoned' });
  expect(await provider.send(messageTo(NUMBER), abort.signal)).toMatchObject({
    kind: 'retry',
    scope: 'message',
    code: 'cancelled',
  });
  expect(simulator.book().requests).toBe(1);
});

/** A port where nobody listens: it was somebody's a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

test('nobody listening and a name that does not exist: surely not sent', async () => {
  const urls = [`http://127.0.0.1:${String(await freePort())}`, 'http://provider.invalid'];
  for (const url of urls) {
    const answer = await open(url).send(messageTo(NUMBER));
    expect(answer).toMatchObject({ kind: 'retry', scope: 'provider', code: 'not_connected', facts: null });
    expect('reason' in answer ? answer.reason : '').toMatch(/\((ECONNREFUSED|ENOTFOUND|EAI_AGAIN)\)$/);
  }
});

/** A server that treats connections in a way of its own; it counts them and what arrived. */
async function startRaw(onConnection: (socket: Socket) => void) {
  const seen = { connections: 0, bytes: 0 };
  const server = createServer((socket) => {
    seen.connections += 1;
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk) => (seen.bytes += chunk.length));
    onConnection(socket);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  return { port, seen };
}

test('a TLS handshake that is reset or never ends has surely not sent anything', async () => {
  const resetting = await startRaw((socket) => socket.once('data', () => socket.resetAndDestroy()));
  const reset = await open(`https://127.0.0.1:${String(resetting.port)}`).send(messageTo(NUMBER));
  expect(reset).toMatchObject({ kind: 'retry', scope: 'provider', code: 'not_connected' });
  const sockets: Socket[] = [];
  const silent = await startRaw((socket) => sockets.push(socket));
  const provider = open(`https://127.0.0.1:${String(silent.port)}`, { connectTimeoutMs: 100 });
  expect(await provider.send(messageTo(NUMBER))).toMatchObject({ kind: 'retry', code: 'not_connected' });
  for (const socket of sockets) socket.destroy();
});

test('an answer without end is given up', async () => {
  const { port, seen } = await startRaw((socket) => {
    socket.once('data', () => {
      socket.write('HTTP/1.1 201 Created\r\ncontent-length: 100000000\r\n\r\n');
      socket.write('x'.repeat(100_000));
    });
  });
  expect(await open(`http://127.0.0.1:${String(port)}`).send(messageTo(NUMBER))).toMatchObject({
    kind: 'unknown',
    code: 'answer_unreadable',
  });
  expect(seen.connections).toBe(1);
});

test('what is no HTTP at all, and a header that ends too soon, is unknown and not tried again', async () => {
  for (const answer of ['SSH-2.0-OpenSSH\r\n', 'HTTP/1.1 201 Created\r\ncontent-le', '']) {
    const { port, seen } = await startRaw((socket) => socket.once('data', () => socket.end(answer)));
    expect(await open(`http://127.0.0.1:${String(port)}`).send(messageTo(NUMBER))).toMatchObject({
      kind: 'unknown',
      code: 'connection_lost',
    });
    expect(seen.connections).toBe(1);
    expect(seen.bytes).toBeGreaterThan(0);
  }
});

test('a redirect is not followed', async () => {
  const elsewhere = await simulate();
  const { port } = await startRaw((socket) => {
    socket.once('data', () => {
      const location = `${elsewhere.url}/version1/messaging`;
      socket.end(`HTTP/1.1 307 Temporary Redirect\r\nlocation: ${location}\r\ncontent-length: 0\r\n\r\n`);
    });
  });
  expect(await open(`http://127.0.0.1:${String(port)}`).send(messageTo(NUMBER))).toMatchObject({
    kind: 'retry',
    scope: 'provider',
    code: 'wrong_endpoint',
  });
  expect(elsewhere.book().requests).toBe(0);
});

test('no more connections are opened than allowed, and they are used again', async () => {
  let connections = 0;
  const recipient = { statusCode: 101, number: `+${NUMBER}`, status: 'Success', messageId: 'ATXid_1' };
  const body = JSON.stringify({ SMSMessageData: { Message: '', Recipients: [recipient] } });
  const server = createHttpServer((incoming, response) => {
    incoming.resume().once('end', () => response.writeHead(201).end(body));
  });
  server.on('connection', () => (connections += 1));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const provider = open(`http://127.0.0.1:${String(port)}`, { connections: 4 });
  const sent = await Promise.all(Array.from({ length: 100 }, () => provider.send(messageTo(NUMBER))));
  expect(sent.filter(({ kind }) => kind === 'accepted')).toHaveLength(100);
  expect(connections).toBe(4);
});

test('the balance is told as the provider writes it', async () => {
  const simulator = await startAfricasTalking({ balance: 17_855_000n });
  onTestFinished(() => simulator.close());
  expect(await open(simulator.url).balance()).toEqual({ amount: '1785.5000', currency: 'KES' });
  const unreachable = open(`http://127.0.0.1:${String(await freePort())}`);
  expect(await unreachable.balance()).toBeNull();
});

test('closing lets the request under way finish, and what comes after is surely not sent', async () => {
  const simulator = await simulate({ kind: 'accept', delayMs: 50 });
  const provider = open(simulator.url);
  const sending = provider.send(messageTo(NUMBER));
  await until('one request', () => simulator.book().requests, { isFit: (requests) => requests === 1 });
  await provider.close();
  await provider.close();
  expect(await sending).toMatchObject({ kind: 'accepted' });
  expect(await provider.send(messageTo(NUMBER))).toMatchObject({ kind: 'retry', code: 'not_connected' });
  expect(simulator.book().requests).toBe(1);
});

test('no answer carries the number, the text or the key, whatever goes wrong', async () => {
  const text = 'Dear WANJIRU, your code is 998877';
  const simulator = await simulate();
  const provider = open(simulator.url, { timeoutMs: 100 });
  const echo = `Cannot text +${NUMBER}: "${text}" with simulated-key-0123456789abcdef0123`;
  const behaviours: Behaviour[] = [
    { kind: 'http', status: 400, body: echo },
    { kind: 'http', status: 500, body: echo },
    { kind: 'refuse-request', word: echo },
    { kind: 'refuse', code: 403 },
    { kind: 'reset' },
    { kind: 'accept', answer: 'never' },
  ];
  for (const behaviour of behaviours) {
    simulator.configure({ behaviour: () => behaviour });
    const answer = JSON.stringify(await provider.send(messageTo(NUMBER, text)));
    expect(answer).not.toMatch(/WANJIRU|998877|700000126|0123456789abcdef/);
  }
});
