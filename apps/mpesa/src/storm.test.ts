import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { createDb } from '@repo/db';
import { createTestDatabase } from '@repo/postgres/testing';
import {
  confirmationOf,
  createPayment,
  createRandom,
  openTarget,
  sendConfirmation,
  sendStorm,
  sendTogether,
} from '@repo/simulator';
import type { Target } from '@repo/simulator';
import { bareEnvironment } from '@repo/testing/env';
import { expect, test } from 'vitest';
import { openCustomerWallet, TEST_TOKEN } from './testing.ts';

const CALLERS = 200;

/** Of each process; the wallets lie in more lanes than one process deals to. */
const LANES = 4;
const WALLETS = 10;

const main = fileURLToPath(new URL('main.ts', import.meta.url));

interface ServiceProcess {
  readonly child: ChildProcess;
  readonly target: Target;
}

/** Starts the service as a process of its own and waits until it listens. */
async function startProcess(databaseUrl: string): Promise<ServiceProcess> {
  const child = spawn(process.execPath, [main], {
    env: {
      ...bareEnvironment(),
      DATABASE_URL: databaseUrl,
      DATABASE_LANES: String(LANES),
      MPESA_PORT: '0',
      API_KEY: 'test-key',
      MPESA_CALLBACK_TOKEN: TEST_TOKEN,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const url = await listeningUrl(createInterface(child.stdout));
  return { child, target: openTarget({ url, token: TEST_TOKEN }) };
}

/** Ends a process, by default in order; its exit code and signal. */
async function endProcess(child: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<unknown[]> {
  if (child.exitCode !== null || child.signalCode !== null) return [child.exitCode, child.signalCode];
  const exit = once(child, 'exit');
  child.kill(signal);
  return exit;
}

async function listeningUrl(lines: AsyncIterable<string>): Promise<string> {
  for await (const line of lines) {
    const url = /Server listening at (http:[^"]+)/.exec(line)?.[1];
    if (url !== undefined) return url;
  }
  throw new Error('the service ended before it listened');
}

async function startBoth() {
  const database = await createTestDatabase();
  const db = createDb({ url: database.url });
  const accounts: string[] = [];
  for (let i = 0; i < WALLETS; i += 1) accounts.push(await openCustomerWallet(db));
  await db.close();
  // Over nodes each asks another one, and neither the coordinator.
  const [one = '', other = one] = database.urls.toReversed();
  const processes = await Promise.all([startProcess(one), startProcess(other)]);
  return {
    account: accounts[0] ?? '',
    accounts,
    processes,
    targets: processes.map(({ target }) => target),
    query: database.query,
    [Symbol.asyncDispose]: async () => {
      await Promise.all(processes.map(({ target }) => target.pool.destroy()));
      for (const { child } of processes) await endProcess(child);
      await database.drop();
    },
  };
}

const READ_BALANCES = `
  SELECT core.account_of(id) AS id, sum(balance)::text AS balance
    FROM core.wallets GROUP BY 1 HAVING sum(balance) <> 0 ORDER BY sum(balance), 1`;
const COUNT_OUTCOMES = `SELECT outcome, count(*)::int AS rows FROM services.mpesa_callbacks GROUP BY outcome ORDER BY outcome`;

test('200 confirmations of one receipt over two processes are acknowledged 200 times and credited once', async () => {
  await using service = await startBoth();
  const message = confirmationOf(
    createPayment(createRandom('storm'), { account: service.account, amount: '250.00' }),
  );
  const answers = await sendStorm(service.targets, message, CALLERS);
  expect(answers.filter((answer) => answer.status === 200 && answer.accepted)).toHaveLength(CALLERS);
  expect(await service.query(COUNT_OUTCOMES)).toEqual([
    { outcome: 'CREDITED', rows: 1 },
    { outcome: 'DUPLICATE', rows: CALLERS - 1 },
  ]);
  expect(await service.query(READ_BALANCES)).toEqual([
    { id: 'MPESA-FLOAT', balance: '-250.00' },
    { id: service.account, balance: '250.00' },
  ]);
});

test('when half of them carry another amount one is credited and the other amount is recorded as conflicts', async () => {
  await using service = await startBoth();
  const message = confirmationOf(
    createPayment(createRandom('half'), { account: service.account, amount: '250.00' }),
  );
  const other = { ...message, TransAmount: '900.00' };
  // Blocks of two, so that both processes get both amounts.
  const messages = Array.from({ length: CALLERS }, (_, at) => (at % 4 < 2 ? message : other));
  const answers = await sendTogether(service.targets, messages);
  expect(answers.filter((answer) => answer.status === 200 && answer.accepted)).toHaveLength(CALLERS);
  expect(await service.query(COUNT_OUTCOMES)).toEqual([
    { outcome: 'CONFLICT', rows: CALLERS / 2 },
    { outcome: 'CREDITED', rows: 1 },
    { outcome: 'DUPLICATE', rows: CALLERS / 2 - 1 },
  ]);
  const [float, customer] = await service.query(READ_BALANCES);
  const credited = customer?.['balance'];
  expect(['250.00', '900.00']).toContain(credited);
  expect(float).toEqual({ id: 'MPESA-FLOAT', balance: `-${String(credited)}` });
  expect(await service.query('SELECT sum(balance)::text AS sum FROM core.wallets')).toEqual([
    { sum: '0.00' },
  ]);
});

test.each([
  ['SIGTERM', [0, null]],
  ['SIGKILL', [null, 'SIGKILL']],
] as const)(
  'after %s in the middle of a storm everything acknowledged is committed, and retries elsewhere settle the rest',
  async (signal, exit) => {
    await using service = await startBoth();
    const [first, second] = service.processes;
    if (first === undefined || second === undefined) throw new RangeError('two processes were asked for');
    const random = createRandom(signal);
    const messages = Array.from({ length: CALLERS }, (_, at) => {
      const account = service.accounts[at % WALLETS] ?? '';
      return confirmationOf(createPayment(random, { account, amount: '1.00' }));
    });
    const sending = messages.map((message) => sendConfirmation(first.target, message));
    await Promise.race(sending);
    expect(await endProcess(first.child, signal)).toEqual(exit);

    const settled = await Promise.allSettled(sending);
    const acknowledged = messages.filter((_message, at) => {
      const each = settled[at];
      return each?.status === 'fulfilled' && each.value.accepted;
    });
    expect(acknowledged.length).toBeGreaterThan(0);
    const recorded = await service.query('SELECT mpesa_receipt FROM services.mpesa_logs');
    const receipts = new Set(recorded.map((row) => row['mpesa_receipt']));
    expect(acknowledged.filter((message) => !receipts.has(message.TransID))).toEqual([]);

    const retried = await sendTogether([second.target], messages);
    expect(retried.filter((answer) => answer.accepted)).toHaveLength(CALLERS);
    expect(await service.query(READ_BALANCES)).toEqual([
      { id: 'MPESA-FLOAT', balance: `-${String(CALLERS)}.00` },
      ...service.accounts.toSorted().map((id) => ({ id, balance: `${String(CALLERS / WALLETS)}.00` })),
    ]);
  },
);
