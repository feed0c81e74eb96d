import { randomUUID } from 'node:crypto';
import { createDb } from '@repo/db';
import { createTestDatabase } from '@repo/postgres/testing';
import { expect, test } from 'vitest';
import { endProcess, startProcess } from '../testing/processes.ts';
import { openCustomer, posting, readAnswer, send, TEST_KEY } from '../testing.ts';
import type { TestAnswer, TestRequest } from '../testing.ts';

/** Two processes of the service over one database, with wallets of 100.00 each. */
async function startBoth(wallets: number) {
  const database = await createTestDatabase();
  const db = createDb({ url: database.url });
  const numbers: string[] = [];
  for (let count = 0; count < wallets; count += 1) numbers.push(await openCustomer(db, '100.00'));
  await db.close();
  const env = { API_KEY: TEST_KEY, LOG_LEVEL: 'info' };
  // Over nodes each asks another one, and neither the coordinator.
  const [one = '', other = one] = database.urls.toReversed();
  const processes = await Promise.all([
    startProcess({ ...env, DATABASE_URL: one }),
    startProcess({ ...env, DATABASE_URL: other }),
  ]);
  const { query } = database;
  return {
    numbers,
    processes,
    query,
    balances: async () => {
      const rows = await query(`SELECT id, balance::text FROM core.wallets WHERE kind = 'CUSTOMER'`);
      return new Map(rows.map((row) => [String(row['id']), String(row['balance'])]));
    },
    [Symbol.asyncDispose]: async () => {
      for (const { child } of processes) await endProcess(child);
      await database.drop();
    },
  };
}

async function ask(url: string, request: TestRequest, path = '/transfers'): Promise<TestAnswer> {
  return readAnswer(await send(url, path, request));
}

const SUM_OF_ALL = `SELECT sum(balance)::text AS sum, count(*) FILTER (WHERE kind = 'CUSTOMER' AND balance < 0)::int AS overdrawn
  FROM core.wallets`;

test('one request that is sent 200 times to two processes moves the money once, and all hear the same', async () => {
  await using service = await startBoth(2);
  const [from, to] = service.numbers;
  const request = posting({ from, to, amount: '7.00' });
  const answers = await Promise.all(
    Array.from({ length: 200 }, (_, at) => ask(service.processes[at % 2]?.url ?? '', request)),
  );
  expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(199);
  expect(new Set(answers.map(({ body }) => JSON.stringify(body))).size).toBe(1);
  expect(await service.balances()).toEqual(
    new Map([
      [from, '93.00'],
      [to, '107.00'],
    ]),
  );
});

test('one request that opens a wallet, sent 40 times to two processes, opens one', async () => {
  await using service = await startBoth(0);
  const request = posting({ holderName: 'Jane Mwangi', phone: '0712345678' });
  const answers = await Promise.all(
    Array.from({ length: 40 }, (_, at) => ask(service.processes[at % 2]?.url ?? '', request, '/wallets')),
  );
  expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(39);
  expect((await service.balances()).size).toBe(1);
});

test('transfers both ways in a ring over two processes lose nothing, invent nothing and overdraw nobody', async () => {
  await using service = await startBoth(6);
  const { numbers, processes } = service;
  const requests = Array.from({ length: 300 }, (_, at) => {
    const [one, next] = [numbers[at % 6], numbers[(at + 1) % 6]];
    const [from, to] = at % 4 < 2 ? [one, next] : [next, one];
    return { from, to, cents: ((at * 7919) % 6_000) + 1 };
  });
  const answers = await Promise.all(
    requests.map(async ({ from, to, cents }, at) => {
      const amount = `${String(Math.floor(cents / 100))}.${String(cents % 100).padStart(2, '0')}`;
      return ask(processes[at % 2]?.url ?? '', posting({ from, to, amount }));
    }),
  );
  const expected = new Map(numbers.map((number) => [number, 10_000]));
  answers.forEach(({ status, body }, at) => {
    if (status !== 201) {
      expect([status, body['code']]).toEqual([422, 'insufficient_funds']);
      return;
    }
    const { from = '', to = '', cents = 0 } = requests[at] ?? {};
    expected.set(from, (expected.get(from) ?? 0) - cents);
    expected.set(to, (expected.get(to) ?? 0) + cents);
  });
  const balances = await service.balances();
  const inCents = new Map([...balances].map(([id, balance]) => [id, Number(balance.replace('.', ''))]));
  expect(inCents).toEqual(expected);
  expect(await service.query(SUM_OF_ALL)).toEqual([{ sum: '0.00', overdrawn: 0 }]);
});

test.each([
  ['SIGTERM', [0, null]],
  ['SIGKILL', [null, 'SIGKILL']],
] as const)(
  'after %s in the middle everything acknowledged is committed, and retries elsewhere settle the rest once',
  async (signal, exit) => {
    await using service = await startBoth(2);
    const [from, to] = service.numbers;
    const [first, second] = service.processes;
    if (first === undefined || second === undefined) throw new RangeError('two processes were asked for');
    // Half of them go through one intake, half through the other.
    const requests = Array.from({ length: 150 }, (_, at) => {
      const [path, body] =
        at % 2 === 0
          ? ['/transfers', { from, to, amount: '0.50' }]
          : ['/holds', { wallet: from, amount: '0.50' }];
      return { path, request: posting(body, randomUUID()) };
    });
    const sending = requests.map(({ path, request }) => ask(first.url, request, path));
    await Promise.race(sending);
    expect(await endProcess(first.child, signal)).toEqual(exit);

    const settled = await Promise.allSettled(sending);
    const acknowledged = settled.flatMap((each) =>
      each.status === 'fulfilled' && each.value.status === 201
        ? [String(each.value.body['reference'] ?? each.value.body['id'])]
        : [],
    );
    expect(acknowledged.length).toBeGreaterThan(0);
    const rows = await service.query(
      `SELECT reference AS name FROM core.transactions WHERE type = 'TRANSFER' UNION ALL SELECT id::text FROM core.holds`,
    );
    const recorded = new Set(rows.map((row) => row['name']));
    expect(acknowledged.filter((reference) => !recorded.has(reference))).toEqual([]);

    const retried = await Promise.all(requests.map(({ path, request }) => ask(second.url, request, path)));
    expect(retried.filter(({ status }) => status === 200 || status === 201)).toHaveLength(150);
    expect(await service.balances()).toEqual(
      new Map([
        [from, '62.50'],
        [to, '137.50'],
      ]),
    );
    const [wallet] = await service.query(`SELECT held::text FROM core.wallets WHERE id = '${String(from)}'`);
    expect(wallet).toEqual({ held: '37.50' });
  },
);
