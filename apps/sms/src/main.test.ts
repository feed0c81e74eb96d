import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { createDb, findSms, queueSms } from '@repo/db';
import { createTestDatabase } from '@repo/postgres/testing';
import { startAfricasTalking } from '@repo/simulator';
import { bareEnvironment } from '@repo/testing/env';
import { until } from '@repo/testing/until';
import { expect, onTestFinished, test } from 'vitest';
import { isDone, newNumber, untilAccepted, untilLogged, untilSms } from './testing.ts';

const main = fileURLToPath(new URL('main.ts', import.meta.url));

const COMPLETE = {
  DATABASE_URL: 'postgresql://nobody:hunter2@127.0.0.1:1/none',
  API_KEY: 'a-secret-key',
  SMS_CALLBACK_TOKEN: 'V1StGXR8Z5jdHi6BmyT0kL9w',
  SMS_PORT: '0',
};

/** Runs the service with an environment in which it cannot start, to its end. */
async function runToEnd(env: Record<string, string>) {
  const child = spawn(process.execPath, [main], {
    env: { ...bareEnvironment(), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  return { out, err, code: code as number };
}

/** Starts the service and waits for a line of its log; the log goes on in `lines`. */
async function start(env: Record<string, string>, line = 'Server listening at') {
  const child = spawn(process.execPath, [main], {
    env: { ...bareEnvironment(), ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  const lines: string[] = [];
  const reader = createInterface(child.stdout);
  reader.on('line', (each) => lines.push(each));
  await until(`a line with "${line}"`, () => lines.join('\n'), { isFit: (log) => log.includes(line) });
  const url = /listening at (http:[^"]+)/.exec(lines.join('\n'))?.[1] ?? '';
  return { child, lines, url };
}

async function end(child: ChildProcess): Promise<unknown[]> {
  const exit = once(child, 'exit');
  child.kill('SIGTERM');
  return exit;
}

test('without its settings it ends with 78 and one message that names each of them', async () => {
  const { out, err, code } = await runToEnd({
    NODE_ENV: 'production',
    API_KEY: 'q8Zr2mVt5LxWc1Yh7PbKd4NsJf9Gu3Ea',
  });
  expect(code).toBe(78);
  expect(out).toBe('');
  for (const name of ['DATABASE_URL', 'SMS_CALLBACK_TOKEN', 'SMS_PROVIDER']) {
    expect(err).toMatch(new RegExp(`${name} +is not set: `));
  }
  expect(err).not.toContain('API_KEY');
  expect(err).not.toMatch(/^\s+at /m);
});

test('without its database it says so, answers 503, and ends in order', async () => {
  const { child, lines, url } = await start(COMPLETE, 'the database cannot be used yet');
  const log = lines.join('\n');
  expect(log).toContain('database_unavailable');
  expect(log).not.toContain('hunter2');
  expect((await fetch(`${url}/health/live`)).status).toBe(200);
  expect((await fetch(`${url}/health/ready`)).status).toBe(503);
  const report = `${url}/delivery-reports/${COMPLETE.SMS_CALLBACK_TOKEN}`;
  expect((await fetch(report, { method: 'POST', body: 'id=a&status=b' })).status).toBe(503);
  expect(await end(child)).toEqual([0, null]);
});

test('on a port that is taken it ends with 1 and says what to set', async () => {
  const other = createServer();
  other.listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  const { out, code } = await runToEnd({ ...COMPLETE, SMS_PORT: String(port) });
  other.close();
  expect(code).toBe(1);
  expect(out).toContain('set HOST and SMS_PORT');
  expect(out).not.toContain('hunter2');
});

/** A database with a message in it, and the provider. */
async function openWorld() {
  const database = await createTestDatabase();
  const db = createDb({ url: database.url });
  const simulator = await startAfricasTalking({ reportUrl: null });
  onTestFinished(async () => {
    await simulator.close();
    await db.close();
    await database.drop();
  });
  const env = {
    ...COMPLETE,
    DATABASE_URL: database.url,
    SMS_PROVIDER: 'africas-talking',
    AT_USERNAME: 'sandbox',
    AT_API_KEY: 'simulated-key',
    AT_BASE_URL: simulator.url,
  };
  const { id } = await queueSms(db, { recipient: newNumber(), message: 'Hello' });
  return { db, simulator, env, id };
}

test('asked to end while a request is under way, it waits for the answer, records it, and ends with 0', async () => {
  const { db, simulator, env, id } = await openWorld();
  const { promise: gate, resolve: open } = Promise.withResolvers<void>();
  simulator.configure({ gate });
  const { child, lines } = await start(env);
  await untilAccepted({ simulator }, 1);
  expect(await findSms(db, id)).toMatchObject({ phase: 'SENDING' });
  const ended = end(child);
  await untilLogged({ lines }, 'stopping: finishing the requests under way');
  open();
  expect(await ended).toEqual([0, null]);
  expect(await findSms(db, id)).toMatchObject({ status: 'SENT', cost: '0.8000' });
});

test('with SMS_SENDER=off it serves and sends nothing, and a process that sends does so beside it', async () => {
  const { db, simulator, env, id } = await openWorld();
  const desk = await start({ ...env, SMS_SENDER: 'off' });
  const answer = await fetch(`${desk.url}/messages/${id}`, {
    headers: { authorization: `Bearer ${env.API_KEY}` },
  });
  expect(await answer.json()).toMatchObject({ id, status: 'pending', attempts: 0 });
  expect(simulator.book().requests).toBe(0);
  const sender = await start(env);
  expect(await untilSms({ db }, id, isDone)).toMatchObject({ status: 'SENT' });
  expect(await end(desk.child)).toEqual([0, null]);
  expect(await end(sender.child)).toEqual([0, null]);
});

test('the console provider of development writes a line for each message, without number and text', async () => {
  const { db, env, id } = await openWorld();
  const { lines } = await start({ ...env, SMS_PROVIDER: 'console' });
  expect(await untilSms({ db }, id, isDone)).toMatchObject({ status: 'SENT', cost: '0.0000' });
  const sms = await findSms(db, id);
  expect(lines.join('\n')).toContain(`sms ${id} to 254******`);
  expect(lines.join('\n')).not.toContain(String(sms?.recipient));
  expect(lines.join('\n')).not.toContain('Hello');
});
