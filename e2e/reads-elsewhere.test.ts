import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { migrateDatabase } from '@repo/postgres/migrations';
import { startServer } from '@repo/postgres/server';
import type { Server } from '@repo/postgres/server';
import { startStandby } from '@repo/postgres/standby';
import type { Standby } from '@repo/postgres/standby';
import { confirmationOf, createPayment, createRandom, openTarget, sendConfirmation } from '@repo/simulator';
import { until } from '@repo/testing/until';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ROOT } from './env.ts';
import { startProgram, TRIAL_KEY, TRIAL_TOKEN } from './sms-kill-trial/processes.ts';
import type { TrialProcess } from './sms-kill-trial/processes.ts';

const APPS = ['mpesa', 'wallet', 'sms'] as const;
type App = (typeof APPS)[number];

/** Lists of what people set: short, and read back at once by those who changed it. */
const OF_SETTINGS = ['/webhooks', '/fee-rules', '/templates'];

let primary: Server;
let standby: Standby;
let services: Readonly<Record<App, TrialProcess>>;
let wallet: string;

beforeAll(async () => {
  primary = await startServer({ durable: false });
  await migrateDatabase(ROOT, primary.url);
  standby = await startStandby(primary, { durable: false });
  const start = (app: App) =>
    startProgram({
      path: `apps/${app}/src/main.ts`,
      parameters: [],
      environment: {
        DATABASE_URL: primary.url,
        DATABASE_READ_URL: standby.url,
        API_KEY: TRIAL_KEY,
        MPESA_CALLBACK_TOKEN: TRIAL_TOKEN,
        MPESA_SOURCE_CHECK: 'off',
        SMS_CALLBACK_TOKEN: TRIAL_TOKEN,
        SMS_SENDER: 'off',
        MPESA_PORT: '0',
        WALLET_PORT: '0',
        SMS_PORT: '0',
      },
    });
  services = { mpesa: start('mpesa'), wallet: start('wallet'), sms: start('sms') };
  const opened = await send('wallet', 'POST /wallets', { holderName: 'Amina Otieno', phone: '0700000126' });
  wallet = String(opened['number']);
});

afterAll(async () => {
  await Promise.all(Object.values(services).map((service) => service.stop()));
  await standby.stop();
  await primary.stop();
});

async function send(app: App, what: string, body?: object): Promise<Record<string, unknown>> {
  const [method = '', path = ''] = what.split(' ');
  const response = await fetch(`${await services[app].url}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${TRIAL_KEY}`,
      ...(body === undefined
        ? {}
        : { 'content-type': 'application/json', 'idempotency-key': 'reads-elsewhere' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${what} was answered ${String(response.status)}`);
  return text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : {};
}

/** How many reads the standby and the primary have answered, by the service's own count. */
async function answered(app: App): Promise<{ readonly replica: number; readonly primary: number }> {
  const response = await fetch(`${await services[app].url}/metrics`, {
    headers: { authorization: `Bearer ${TRIAL_KEY}` },
  });
  const text = await response.text();
  const count = (server: string) =>
    Number(new RegExp(`^database_reads_total\\{.*server="${server}".*\\} (\\d+)$`, 'm').exec(text)?.[1] ?? 0);
  return { replica: count('replica'), primary: count('primary') };
}

/** Paths of lists and reports in what a service says of itself. */
async function listsOf(app: App): Promise<string[]> {
  const text = await readFile(join(ROOT, 'apps', app, 'openapi.json'), 'utf8');
  const { paths } = JSON.parse(text) as {
    readonly paths: Readonly<Record<string, { readonly get?: { readonly operationId: string } }>>;
  };
  return Object.entries(paths)
    .filter(([, { get }]) => /^list|Report/.test(get?.operationId ?? ''))
    .map(([path]) => path);
}

describe.each(APPS)('the %s service', (app) => {
  test('reads its lists and reports from the standby, save those of settings', async () => {
    const lists = await listsOf(app);
    expect(lists.length).toBeGreaterThan(1);
    // The first read finds out how late the standby is.
    await until('the standby to be read', async () => {
      await send(app, `GET ${lists[0] ?? ''}${queryOf(lists[0])}`);
      return (await answered(app)).replica > 0;
    });
    const elsewhere: string[] = [];
    for (const path of lists) {
      const before = await answered(app);
      await send(app, `GET ${path}${queryOf(path)}`);
      const after = await answered(app);
      if (after.replica + after.primary > before.replica + before.primary) elsewhere.push(path);
    }
    expect(elsewhere).toEqual(lists.filter((path) => !OF_SETTINGS.includes(path)));
  });
});

/** Some lists must be asked for something. */
const QUERIES: Readonly<Record<string, string>> = {
  '/wallets': '?name=Amina',
  '/messages': '?phone=0700000126',
  '/periods': '?shortCode=600100',
};

const queryOf = (path = ''): string => QUERIES[path] ?? '';

test('what was acknowledged is in the next list, though the standby stands still', async () => {
  await standby.pause();
  try {
    const before = await answered('mpesa');
    const payment = createPayment(createRandom('reads-elsewhere.test'), { account: wallet });
    await using target = openTarget({ url: await services.mpesa.url, token: TRIAL_TOKEN });
    expect(await sendConfirmation(target, confirmationOf(payment))).toMatchObject({ accepted: true });
    expect(await send('mpesa', 'GET /deposits')).toMatchObject({ items: [{ receipt: payment.receipt }] });
    expect(await send('wallet', `GET /wallets/${wallet}/statement`)).toMatchObject({
      items: [{ reference: payment.receipt, amount: payment.amount }],
      closingBalance: payment.amount,
    });
    // Decisions and look-ups never ask it.
    expect(await send('wallet', `GET /wallets/${wallet}/balance`)).toMatchObject({ balance: payment.amount });
    const after = await answered('mpesa');
    expect([after.primary - before.primary, after.replica - before.replica]).toEqual([1, 0]);
  } finally {
    await standby.resume();
  }
});
