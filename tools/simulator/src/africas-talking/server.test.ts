import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { bareEnvironment } from '@repo/testing/env';
import { until } from '@repo/testing/until';
import { request } from 'undici';
import { expect, onTestFinished, test } from 'vitest';
import type { Behaviour } from './behaviour.ts';
import { behaviourByChance, behaviourByNumber } from './behaviour.ts';
import type { AfricasTalkingSimulator } from './server.ts';
import { startAfricasTalking } from './server.ts';
import type { AfricasTalkingOptions } from './settings.ts';

const HEADERS = { apiKey: 'simulated-key', 'content-type': 'application/x-www-form-urlencoded' };

async function start(options: AfricasTalkingOptions = {}): Promise<AfricasTalkingSimulator> {
  const simulator = await startAfricasTalking(options);
  onTestFinished(() => simulator.close());
  return simulator;
}

function always(behaviour: Behaviour) {
  return { behaviour: () => behaviour };
}

async function post(url: string, to: string, { message = 'Hello', apiKey = 'simulated-key' } = {}) {
  const {
    statusCode,
    headers: answered,
    body,
  } = await request(`${url}/version1/messaging`, {
    method: 'POST',
    headers: { ...HEADERS, apiKey },
    body: new URLSearchParams({ username: 'sandbox', to, message }).toString(),
  });
  return { status: statusCode, type: answered['content-type'], headers: answered, body: await body.text() };
}

interface Answered {
  readonly SMSMessageData: { readonly Message: string; readonly Recipients: Record<string, unknown>[] };
}

async function sendOne(simulator: AfricasTalkingSimulator, to = '+254700000126', message = 'Hello') {
  const { status, body } = await post(simulator.url, to, { message });
  const data = (JSON.parse(body) as Answered).SMSMessageData;
  return { status, message: data.Message, recipients: data.Recipients };
}

test('a message is accepted with 201, an id of its own, its parts and their cost', async () => {
  const simulator = await start();
  const first = await sendOne(simulator);
  const second = await sendOne(simulator, '+254700000127', 'a'.repeat(161));
  expect(first).toMatchObject({
    status: 201,
    message: 'Sent to 1/1 Total Cost: KES 0.8000',
    recipients: [
      { statusCode: 101, status: 'Success', number: '+254700000126', cost: 'KES 0.8000', messageParts: 1 },
    ],
  });
  expect(second).toMatchObject({ recipients: [{ cost: 'KES 1.6000', messageParts: 2 }] });
  expect(first.recipients[0]?.['messageId']).toMatch(/^ATXid_[0-9a-f]{32}$/);
  expect(second.recipients[0]?.['messageId']).not.toBe(first.recipients[0]?.['messageId']);
  expect(simulator.book()).toMatchObject({ accepted: 2, parts: 3, cost: '2.4000', duplicates: 0, untold: 0 });
});

test('the same text to the same number counts as a duplicate, and to another it does not', async () => {
  const simulator = await start();
  await sendOne(simulator, '+254700000126', 'one');
  await sendOne(simulator, '+254700000126', 'two');
  await sendOne(simulator, '+254700000127', 'one');
  expect(simulator.book().duplicates).toBe(0);
  await sendOne(simulator, '+254700000126', 'one');
  await sendOne(simulator, '+254700000126', 'one');
  expect(simulator.book()).toMatchObject({ accepted: 5, duplicates: 2, cost: '4.0000' });
});

test('the shapes of answers that were seen', async () => {
  const simulator = await start({ partCost: 7_901 });
  simulator.configure(always({ kind: 'accept', shape: 'sandbox', code: 102 }));
  const sandbox = await sendOne(simulator);
  expect(sandbox.message).toBe('Sent to 1/1 Total Cost: USD 0.0079 Message parts: 1');
  expect(sandbox.recipients[0]).toMatchObject({ statusCode: 102, cost: 'KES 0.7901' });
  expect(sandbox.recipients[0]).not.toHaveProperty('messageParts');
  simulator.configure(always({ kind: 'accept', shape: 'premium' }));
  expect(await sendOne(simulator)).toMatchObject({ message: 'Sent to 1/1', recipients: [{ cost: '0' }] });
  simulator.configure(always({ kind: 'accept', shape: 'string-code' }));
  expect(await sendOne(simulator)).toMatchObject({ recipients: [{ statusCode: '101' }] });
  simulator.configure(always({ kind: 'refuse', code: 406 }));
  const refused = { statusCode: 406, status: 'UserInBlacklist', number: '+254700000126' };
  expect((await sendOne(simulator)).recipients).toEqual([{ ...refused, cost: '0', messageId: 'None' }]);
  simulator.configure(always({ kind: 'refuse', code: 406, shape: 'minimal' }));
  expect((await sendOne(simulator)).recipients).toEqual([refused]);
  simulator.configure(always({ kind: 'refuse', code: 403, shape: 'charged' }));
  expect(await sendOne(simulator)).toMatchObject({ status: 201, recipients: [{ cost: 'KES 0.8000' }] });
  simulator.configure(always({ kind: 'refuse-request', word: 'InvalidSenderId' }));
  expect(await sendOne(simulator)).toEqual({ status: 201, message: 'InvalidSenderId', recipients: [] });
  // The premium message is free; what was refused is not in the book.
  expect(simulator.book()).toMatchObject({ accepted: 3, refused: 3, cost: '1.5802' });
});

test('several numbers are served each by its own behaviour', async () => {
  const simulator = await start({ behaviour: behaviourByNumber });
  const { recipients, message } = await sendOne(simulator, '+254700000126,+254700009406');
  expect(recipients).toMatchObject([{ statusCode: 101 }, { statusCode: 406, messageId: 'None' }]);
  expect(message).toBe('Sent to 1/2 Total Cost: KES 0.8000');
});

test('a wrong key or user is 401 in plain text, a missing field 400, another path 404', async () => {
  const { url, book } = await start();
  expect(await post(url, '+254700000126', { apiKey: 'wrong' })).toMatchObject({
    status: 401,
    type: 'text/plain',
    body: 'The supplied authentication is invalid',
  });
  expect((await post(url, '')).status).toBe(400);
  const body = 'username=somebody&to=%2B254700000126&message=Hello';
  const stranger = await request(`${url}/version1/messaging`, { method: 'POST', headers: HEADERS, body });
  expect(stranger.statusCode).toBe(401);
  await stranger.body.dump();
  const elsewhere = await request(`${url}/version2`, { method: 'POST', headers: HEADERS, body });
  expect(elsewhere.statusCode).toBe(404);
  await elsewhere.body.dump();
  expect(book().accepted).toBe(0);
});

test('the JSON endpoint takes a hash of Safaricom and no other', async () => {
  const { url, messages } = await start();
  const hash = 'ab'.repeat(32);
  const send = async (fields: Record<string, unknown>) => {
    const body = JSON.stringify({ username: 'sandbox', message: 'Hi', phoneNumbers: [], ...fields });
    const answer = await request(`${url}/version1/messaging/bulk`, {
      method: 'POST',
      headers: HEADERS,
      body,
    });
    await answer.body.dump();
    return answer.statusCode;
  };
  expect(await send({ maskedNumber: hash, telco: 'Safaricom' })).toBe(201);
  expect(await send({ maskedNumber: hash, telco: 'Airtel' })).toBe(400);
  expect(await send({ phoneNumbers: ['+254700000126'] })).toBe(201);
  expect(await send({})).toBe(400);
  expect(messages().map(({ recipient }) => recipient)).toEqual([hash, '+254700000126']);
});

test('an account that is used up refuses with 405, and the balance shows what is left', async () => {
  const simulator = await start({ balance: 17_000n });
  const balance = async () => {
    const answer = await request(`${simulator.url}/version1/user?username=sandbox`, { headers: HEADERS });
    return answer.body.json();
  };
  expect(await balance()).toEqual({ UserData: { balance: 'KES 1.7000' } });
  await sendOne(simulator, '+254700000126', 'one');
  await sendOne(simulator, '+254700000126', 'two');
  expect(await sendOne(simulator)).toMatchObject({ recipients: [{ status: 'InsufficientBalance' }] });
  expect(await balance()).toEqual({ UserData: { balance: 'KES 0.1000' } });
});

test.each([
  ['dropped', 1, 1],
  ['cut', 1, 1],
] as const)(
  'an acceptance that is %s is in the book although the sender sees an error',
  async (answer, ...[accepted, untold]) => {
    const { url, book } = await start(always({ kind: 'accept', answer }));
    await expect(post(url, '+254700000126')).rejects.toThrow();
    expect(book()).toMatchObject({ accepted, untold });
  },
);

test('a reset accepts nothing', async () => {
  const { url, book } = await start(always({ kind: 'reset' }));
  await expect(post(url, '+254700000126')).rejects.toThrow();
  expect(book()).toMatchObject({ accepted: 0, requests: 1 });
});

test('an answer that never comes leaves the connection open until the end', async () => {
  const { url, book, close } = await startAfricasTalking(always({ kind: 'accept', answer: 'never' }));
  const answered = post(url, '+254700000126').then(
    () => true,
    () => false,
  );
  await until('one message accepted', () => book().accepted, { isFit: (count) => count === 1 });
  await close();
  expect(await answered).toBe(false);
});

test('HTTP failures come as configured, and those after the acceptance are in the book', async () => {
  const simulator = await start(
    always({ kind: 'http', status: 429, body: '{"error":"failed"}', retryAfter: '3' }),
  );
  const throttled = await post(simulator.url, '+254700000126');
  expect(throttled).toMatchObject({ status: 429, body: '{"error":"failed"}' });
  expect(throttled.headers['retry-after']).toBe('3');
  expect(simulator.book().accepted).toBe(0);
  simulator.configure(always({ kind: 'accept', answer: 'failed' }));
  expect((await post(simulator.url, '+254700000126')).status).toBe(500);
  simulator.configure(always({ kind: 'accept', answer: 'unreadable' }));
  expect((await post(simulator.url, '+254700000126')).body).toContain('<html>');
  expect(simulator.book()).toMatchObject({ accepted: 2, untold: 2 });
});

/** A service that takes delivery reports and remembers them. */
async function startReceiver(status = 200) {
  const received: { type: string | undefined; body: string }[] = [];
  const receive = async (incoming: IncomingMessage) => {
    received.push({ type: incoming.headers['content-type'], body: await text(incoming) });
  };
  const server = createServer((incoming, response) => {
    void receive(incoming).then(() => response.writeHead(status).end());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return { url: `http://127.0.0.1:${String(port)}/reports`, received };
}

test('reports follow the plan: repeated, out of order, of unknown status, as a form or JSON', async () => {
  const receiver = await startReceiver();
  const simulator = await start({ reportUrl: receiver.url });
  const { recipients } = await sendOne(simulator);
  await simulator.reportsSent();
  expect(receiver.received).toHaveLength(1);
  expect(Object.fromEntries(new URLSearchParams(receiver.received[0]?.body))).toEqual({
    id: recipients[0]?.['messageId'],
    status: 'Success',
    phoneNumber: '+254700000126',
    networkCode: '63902',
    retryCount: '0',
  });
  receiver.received.length = 0;
  const statuses = ['Success', 'Failed', 'Success', 'Teleported'];
  simulator.configure(
    always({ kind: 'accept', reports: { statuses, format: 'json', failureReason: 'UserInBlackList' } }),
  );
  await sendOne(simulator);
  await simulator.reportsSent();
  const reports = receiver.received.map(({ body }) => JSON.parse(body) as Record<string, string>);
  expect(reports.map(({ status }) => status)).toEqual(statuses);
  expect(reports.map(({ failureReason }) => failureReason)).toEqual([
    undefined,
    'UserInBlackList',
    undefined,
    undefined,
  ]);
  expect(receiver.received[0]?.type).toBe('application/json');
  expect(simulator.book()).toMatchObject({ reportsSent: 5, reportsFailed: 0 });
});

test('a report can come before the answer', async () => {
  const receiver = await startReceiver();
  const plan = { statuses: ['Success'], when: 'before' } as const;
  const simulator = await start({ reportUrl: receiver.url, ...always({ kind: 'accept', reports: plan }) });
  await sendOne(simulator);
  expect(receiver.received).toHaveLength(1);
});

test('reports that nobody takes are counted', async () => {
  const receiver = await startReceiver(503);
  const simulator = await start({ reportUrl: receiver.url });
  await sendOne(simulator);
  simulator.configure({ reportUrl: 'http://127.0.0.1:1/reports' });
  await sendOne(simulator);
  await simulator.reportsSent();
  expect(simulator.book()).toMatchObject({ reportsSent: 0, reportsFailed: 2 });
});

test('chance is the same for the same seed, near its share, and new for each attempt', () => {
  const failing: Behaviour = { kind: 'accept', answer: 'dropped' };
  const choose = (seed: string) => {
    const behaviour = behaviourByChance(seed, [{ in10000: 1_000, behaviour: failing }]);
    return Array.from(
      { length: 2_000 },
      (_, at) => behaviour({ recipient: String(at), text: 'x' }) === failing,
    );
  };
  expect(choose('a')).toEqual(choose('a'));
  expect(choose('a')).not.toEqual(choose('b'));
  const failed = choose('a').filter(Boolean).length;
  expect(failed).toBeGreaterThan(130);
  expect(failed).toBeLessThan(270);
  const again = behaviourByChance('a', [{ in10000: 5_000, behaviour: failing }]);
  const attempts = Array.from({ length: 50 }, () => again({ recipient: '1', text: 'x' }) === failing);
  expect(new Set(attempts).size).toBe(2);
});

test('it runs as a process of its own that shows its URL and its book', async () => {
  const script = fileURLToPath(new URL('main.ts', import.meta.url));
  const child = spawn(process.execPath, [script, '--by-number', '--forget'], { env: bareEnvironment() });
  onTestFinished(() => void child.kill('SIGKILL'));
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const url = line.toString().trim();
  expect(await post(url, '+254700000126')).toMatchObject({ status: 201 });
  expect((await post(url, '+254700009406')).body).toContain('UserInBlacklist');
  const book = await request(`${url}/book?messages`);
  expect(await book.body.json()).toMatchObject({ accepted: 1, refused: 1, cost: '0.8000', messages: [] });
  child.kill('SIGTERM');
  expect(await once(child, 'exit')).toEqual([0, null]);
});

test('the book is asked for as it is or with its messages, and everything else is refused with what may be asked', async () => {
  const { url } = await start();
  for (const [path, status] of [
    ['/book', 200],
    ['/book?messages', 200],
    ['/book?message', 400],
    ['/book?messages=10', 400],
    ['/book?messages&from=2026-01-01', 400],
  ] as const) {
    const { statusCode, body } = await request(`${url}${path}`);
    expect({ path, status: statusCode }).toEqual({ path, status });
    if (status === 400) expect(await body.text()).toContain('GET /book?messages');
    else await body.dump();
  }
  const { statusCode } = await request(`${url}/book`, { method: 'POST', body: '{}' });
  expect(statusCode).toBe(405);
  expect((await request(`${url}/bookkeeping`)).statusCode).toBe(401);
});

test.each([
  ['--port', 'harbour'],
  ['--port', '65536'],
  ['--delay-ms', '1.5'],
  ['--report-url', 'nowhere'],
  ['--delay', '10'],
])('as a process it refuses %s %s and says what it takes', async (option, value) => {
  const script = fileURLToPath(new URL('main.ts', import.meta.url));
  const child = spawn(process.execPath, [script, option, value], { env: bareEnvironment() });
  const [said, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')]);
  expect(said).toContain(option);
  expect(said).toContain('Usage: africas-talking');
  expect(code).toBe(2);
});
