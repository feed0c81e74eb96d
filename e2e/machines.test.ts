import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { execute } from '@repo/postgres/database';
import { migrateDatabase } from '@repo/postgres/migrations';
import { startServer } from '@repo/postgres/server';
import { startStandby } from '@repo/postgres/standby';
import { confirmationOf, createPayment, createRandom, openTarget, sendConfirmation } from '@repo/simulator';
import type { C2bMessage, Target } from '@repo/simulator';
import { bareEnvironment } from '@repo/testing/env';
import { endProcess } from '@repo/testing/processes';
import { until } from '@repo/testing/until';
import { expect, onTestFinished, test } from 'vitest';
import { ROOT } from './env.ts';

const TOKEN = 'V1StGXR8Z5jdHi6BmyT0kL9w';
const KEY = 'test-key';

interface RunningService {
  readonly child: ChildProcess;
  readonly lines: readonly string[];
}

/** Starts a service with nothing but this environment. */
function run(app: string, env: Readonly<Record<string, string>>): RunningService {
  const own = { API_KEY: KEY, MPESA_CALLBACK_TOKEN: TOKEN, SMS_CALLBACK_TOKEN: TOKEN, LOG_LEVEL: 'info' };
  const ports = { MPESA_PORT: '0', WALLET_PORT: '0', SMS_PORT: '0', MPESA_SOURCE_CHECK: 'off' };
  const child = spawn(process.execPath, [join(ROOT, 'apps', app, 'src/main.ts')], {
    env: { ...bareEnvironment(), ...own, ...ports, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const lines: string[] = [];
  createInterface(child.stdout).on('line', (line) => lines.push(line));
  return { child, lines };
}

async function urlOf({ lines }: RunningService): Promise<string> {
  const listening = /listening at (http:[^"]+)/;
  const line = await until('the service listens', () => lines.find((each) => listening.test(each)));
  const url = listening.exec(line)?.[1] ?? '';
  await until('the service is ready', async () => (await fetch(`${url}/health/ready`)).status, {
    isFit: (status) => status === 200,
  });
  return url;
}

const random = createRandom('machines.test');
const newMessage = (): C2bMessage => confirmationOf(createPayment(random), 'masked');

const targetOf = (url: string): Target => openTarget({ url, token: TOKEN });

/** Repeats a confirmation until it is acknowledged, as M-PESA may. */
async function pay(target: Target, message: C2bMessage): Promise<void> {
  await until('an acknowledgement', async () => {
    const answer = await sendConfirmation(target, message).catch(() => null);
    return answer?.accepted === true;
  });
}

/** One connection string for two servers that have the same password. */
function listOf(one: string, other: string): string {
  const { host, username, password } = new URL(one);
  const hosts = `${host},${new URL(other).host}`;
  return `postgresql://${username}:${password}@${hosts}/postgres?target_session_attrs=read-write`;
}

test.each(['mpesa', 'wallet', 'sms'])(
  'the %s service ends at its start where the power could take payments back, and says what to set',
  async (app) => {
    await using server = await startServer({ settings: { fsync: 'off' } });
    const { child, lines } = run(app, { DATABASE_URL: server.url });
    expect(await once(child, 'exit')).toEqual([78, null]);
    expect(lines.join('\n')).toContain('fsync is off: a loss of power would lose payments');
  },
);

test('a service whose primary is killed goes on with the standby, and what it acknowledged is there once', async () => {
  await using primary = await startServer({ durable: false });
  await migrateDatabase(ROOT, primary.url);
  await using standby = await startStandby(primary, { durable: false, isSynchronous: true });
  const service = run('mpesa', { DATABASE_URL: listOf(standby.url, primary.url) });
  const url = await urlOf(service);
  await using target = targetOf(url);
  const acknowledged: string[] = [];
  const ended = new AbortController();
  const paying = Array.from({ length: 8 }, async () => {
    while (!ended.signal.aborted) {
      const message = newMessage();
      await pay(target, message);
      acknowledged.push(message.TransID);
    }
  });
  await until('payments before the failover', () => acknowledged.length > 50);
  await primary.kill();
  await standby.promote();
  await execute(standby.url, `ALTER SYSTEM SET synchronous_standby_names = ''`);
  await execute(standby.url, 'SELECT pg_reload_conf()');
  const before = acknowledged.length;
  await until('payments after the failover', () => acknowledged.length > before + 50);
  ended.abort();
  await Promise.all(paying);
  expect((await fetch(`${url}/health/ready`)).status).toBe(200);
  const kept = await execute(
    standby.url,
    `SELECT count(*)::int AS logs, count(DISTINCT t.reference)::int AS posted
       FROM services.mpesa_logs l JOIN core.transactions t ON t.reference = l.mpesa_receipt
      WHERE l.mpesa_receipt = ANY ('{${acknowledged.join(',')}}')`,
  );
  expect(kept).toEqual([{ logs: acknowledged.length, posted: acknowledged.length }]);
  await endProcess(service.child);
});
