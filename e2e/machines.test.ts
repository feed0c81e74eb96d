import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { execute } from '@repo/postgres/database';
import { migrateDatabase } from '@repo/postgres/migrations';
import { hasPgBouncer, startPgBouncer } from '@repo/postgres/pgbouncer';
import { startServer } from '@repo/postgres/server';
import { startStandby } from '@repo/postgres/standby';
import { createTestDatabase } from '@repo/postgres/testing';
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

/** Connections of PgBouncer to the server, for six processes that may ask it for four each. */
const SERVER_CONNECTIONS = 5;

test.skipIf(!hasPgBouncer)(
  'two processes of each service share five connections behind PgBouncer, and each thing is done once',
  async () => {
    await using database = await createTestDatabase();
    await using pooler = await startPgBouncer(database.url, {
      mode: 'transaction',
      size: SERVER_CONNECTIONS,
    });
    const env = { DATABASE_URL: pooler.url, DATABASE_POOLER: 'transaction', DATABASE_CONNECTIONS: '4' };
    const services = ['mpesa', 'mpesa', 'wallet', 'wallet', 'sms', 'sms'].map((app) => run(app, env));
    const [mpesa, otherMpesa, wallet, otherWallet] = (await Promise.all(services.map(urlOf))) as [
      string,
      string,
      string,
      string,
    ];
    const ask = async (
      address: string,
      { body, key }: { readonly body: unknown; readonly key: string },
    ): Promise<{ number: string }> => {
      const headers = {
        authorization: `Bearer ${KEY}`,
        'content-type': 'application/json',
        'idempotency-key': key,
      };
      const answer = await fetch(address, { method: 'POST', headers, body: JSON.stringify(body) });
      expect(answer.status).toBeLessThan(300);
      return (await answer.json()) as { number: string };
    };
    const open = (phone: string) =>
      ask(`${wallet}/wallets`, { body: { holderName: 'Amina Otieno', phone }, key: `open-${phone}` });
    const from = await open('254700000101');
    const to = await open('254700000102');

    let most = 0;
    const ended = new AbortController();
    const counting = (async () => {
      while (!ended.signal.aborted) {
        const [row] = await execute(
          database.url,
          `SELECT count(*)::int AS n FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid()`,
        );
        most = Math.max(most, Number(row?.['n']));
      }
    })();
    const targets = [targetOf(mpesa), targetOf(otherMpesa)];
    const payments = Array.from({ length: 30 }, () =>
      confirmationOf(createPayment(random, { account: from.number, amount: '10.00' }), 'masked'),
    );
    // Everything reaches both processes.
    await Promise.all(payments.flatMap((message) => targets.map((target) => pay(target, message))));
    const transfers = Array.from({ length: 30 }, (_, i) => ({
      key: `transfer-${String(i)}`,
      body: { from: from.number, to: to.number, amount: '1.00' },
    }));
    await Promise.all(
      transfers.flatMap((each) => [wallet, otherWallet].map((url) => ask(`${url}/transfers`, each))),
    );
    await until('every message has gone out', async () => {
      const [row] = await execute(
        database.url,
        `SELECT count(*)::int AS n FROM services.sms_logs WHERE status <> 'SENT'`,
      );
      return row?.['n'] === 0;
    });
    ended.abort();
    await counting;
    expect(most).toBeLessThanOrEqual(SERVER_CONNECTIONS);
    const balances = await execute(
      database.url,
      `SELECT id, balance::text FROM core.wallets w WHERE id IN ('${from.number}', '${to.number}') ORDER BY w.balance`,
    );
    expect(balances).toEqual([
      { id: to.number, balance: '30.00' },
      { id: from.number, balance: '270.00' },
    ]);
    const attempts = await execute(
      database.url,
      'SELECT count(*)::int AS n FROM services.sms_logs WHERE attempts <> 1',
    );
    expect(attempts).toEqual([{ n: 0 }]);
    for (const { lines } of services) expect(lines.join('\n')).not.toContain('"level":"error"');
    for (const { child } of services) expect(await endProcess(child)).toBeDefined();
  },
);
