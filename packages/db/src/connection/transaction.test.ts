import { expect, test } from 'vitest';
import { createDb } from './db.ts';
import type { Handle } from './handle.ts';
import { recordDeposit, recordDeposits } from '../deposits/record-deposits.ts';
import { DaftariError } from '../errors.ts';
import { transaction } from './transaction.ts';
import { countRows } from '../testing/deposits/deposit-rows.ts';
import { ledgerFaults } from '../testing/ledger/faults.ts';
import { sampleDeposit } from '../testing/deposits/sample-deposit.ts';
import { openTestDb, useTestDb } from '../testing/database/test-db.ts';
import type { TestDb } from '../testing/database/test-db.ts';
import { balanceOf, openCustomer } from '../testing/database/wallet-fixtures.ts';
import { lookupWallet } from '../wallets/wallets.ts';
import { updateWallet } from '../wallets/wallet-changes.ts';

const database = useTestDb();

const NOTHING = { transactions: 0, logs: 0, sms: 0, callbacks: 0 };
const coded = (code: string) => expect.objectContaining({ name: 'DaftariError', code });

/** A promise that the test resolves. */
function gate(): { opened: Promise<void>; open: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { opened: promise, open: resolve };
}

/** A database that looks for deadlocks after 20 ms instead of a second, so that the tests need not wait so long. */
async function openQuick(): Promise<TestDb> {
  const own = await openTestDb();
  await own.sql(`ALTER DATABASE "${new URL(own.url).pathname.slice(1)}" SET deadlock_timeout = '20ms'`);
  return own;
}

async function select(tx: Handle, text: string): Promise<void> {
  await tx.run({ name: `test ${text}`, text }, []);
}

test('functions of the package and writes through prisma share one transaction', async () => {
  const deposit = await transaction(database.db, async (tx) => {
    const account = await openCustomer(tx);
    const made = sampleDeposit({ account });
    await recordDeposit(tx, made);
    await tx.prisma.smsLog.create({ data: { recipient: '254700000001', message: made.receipt } });
    return made;
  });
  expect(await lookupWallet(database.db, deposit.account)).toMatchObject({ balance: deposit.amount });
  expect(await database.db.prisma.smsLog.count({ where: { message: deposit.receipt } })).toBe(1);
});

test('nothing of it is visible before the commit', async () => {
  const account = await openCustomer(database.db);
  const deposit = sampleDeposit({ account });
  await transaction(database.db, async (tx) => {
    await recordDeposit(tx, deposit);
    expect(await countRows(database.sql, deposit.receipt)).toEqual(NOTHING);
    expect(await balanceOf(database.sql, account)).toBe('0.00');
  });
  expect(await balanceOf(database.sql, account)).toBe(deposit.amount);
});

test('when the work throws, nothing of the deposit stays', async () => {
  const account = await openCustomer(database.db);
  const deposit = sampleDeposit({ account });
  const failing = transaction(database.db, async (tx) => {
    await recordDeposit(tx, deposit);
    throw new Error('no');
  });
  await expect(failing).rejects.toThrow('no');
  expect(await countRows(database.sql, deposit.receipt)).toEqual(NOTHING);
  expect(await balanceOf(database.sql, account)).toBe('0.00');
});

test('a deposit whose transaction failed is credited when it comes again', async () => {
  const deposit = sampleDeposit({ account: await openCustomer(database.db) });
  const failing = transaction(database.db, async (tx) => {
    await recordDeposit(tx, deposit);
    throw new Error('no');
  });
  await expect(failing).rejects.toThrow('no');
  expect((await recordDeposit(database.db, deposit)).outcome).toBe('credited');
});

test("the caller's own error comes out as the same object", async () => {
  const own = new TypeError('mine', { cause: new Error('the reason') });
  const failing = transaction(database.db, () => Promise.reject(own));
  await expect(failing.catch((error: unknown) => error)).resolves.toBe(own);
});

test("the caller's own error is not taken for the database's because of its code", async () => {
  const own = Object.assign(new Error('another service is down'), { code: 'ECONNREFUSED' });
  const failing = transaction(database.db, () => Promise.reject(own));
  await expect(failing.catch((error: unknown) => error)).resolves.toBe(own);
});

test('a value that is no error passes as well', async () => {
  const failing = transaction(database.db, () => Promise.reject(42));
  await expect(failing.catch((error: unknown) => error)).resolves.toBe(42);
});

test('an error that was swallowed is reported as a lost transaction, and nothing is written', async () => {
  const account = await openCustomer(database.db);
  const deposit = sampleDeposit({ account });
  const swallowing = transaction(database.db, async (tx) => {
    await recordDeposit(tx, deposit);
    await select(tx, 'SELECT 1 / 0').catch(() => undefined);
    return 'all is well';
  });
  await expect(swallowing).rejects.toThrow(coded('transaction_lost'));
  expect(await countRows(database.sql, deposit.receipt)).toEqual(NOTHING);
});

test('an error of a model that was swallowed is reported as well', async () => {
  const swallowing = transaction(database.db, async (tx) => {
    await tx.prisma.smsLog.create({ data: { message: 'x', status: 'LOST' } }).catch(() => undefined);
  });
  await expect(swallowing).rejects.toThrow(coded('transaction_lost'));
});

test('a statement after a swallowed error says that the transaction is lost', async () => {
  const swallowing = transaction(database.db, async (tx) => {
    await select(tx, 'SELECT 1 / 0').catch(() => undefined);
    await select(tx, 'SELECT 1');
  });
  await expect(swallowing).rejects.toThrow(coded('transaction_lost'));
});

test('inside the work an error is one of the catalogue already', async () => {
  const caught: unknown[] = [];
  const failing = transaction(database.db, async (tx) => {
    await recordDeposit(tx, sampleDeposit({ body: Buffer.from('no JSON') })).catch((error: unknown) => {
      caught.push(error);
      throw error;
    });
  });
  await expect(failing).rejects.toThrow(coded('database_error'));
  expect(caught).toEqual([expect.any(DaftariError)]);
});

test('two transactions that wait for each other both end well', async () => {
  await using own = await openQuick();
  const [one, two] = [await openCustomer(own.db), await openCustomer(own.db)];
  const [first, second] = [gate(), gate()];
  let runs = 0;
  const crossing = (mine: string, theirs: string, gates: readonly [typeof first, typeof second]) =>
    transaction(own.db, async (tx) => {
      runs += 1;
      await updateWallet(tx, { number: mine, holderName: 'First', reason: 'a trial' });
      gates[0].open();
      await gates[1].opened;
      await updateWallet(tx, { number: theirs, phone: '254700000002', reason: 'a trial' });
    });
  await Promise.all([crossing(one, two, [first, second]), crossing(two, one, [second, first])]);
  expect(runs).toBe(3);
  expect(await own.db.prisma.wallet.count({ where: { phone: '254700000002' } })).toBe(2);
});

test('transactions with several deposits each, in opposite orders, end well and credit each payment once', async () => {
  await using own = await openQuick();
  const wallets = [await openCustomer(own.db), await openCustomer(own.db), await openCustomer(own.db)];
  const work = Array.from({ length: 8 }, (_, i) => {
    const order = i % 2 === 0 ? wallets : wallets.toReversed();
    const deposits = order.map((account) => sampleDeposit({ account, amount: '1.00' }));
    return transaction(own.db, async (tx) => {
      for (const deposit of deposits) await recordDeposit(tx, deposit);
    });
  });
  const results = await Promise.allSettled(work);
  const done = results.filter(({ status }) => status === 'fulfilled').length;
  const errors = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
  // Five tries may not be enough for all of them; those that gave up have written nothing.
  for (const error of errors) expect(error).toEqual(coded('database_busy'));
  for (const account of wallets) expect(await balanceOf(own.sql, account)).toBe(`${done}.00`);
  expect(done).toBeGreaterThan(0);
  expect(await ledgerFaults(own.sql)).toEqual([]);
});

test('a transaction that takes longer than it may is rolled back and says so', async () => {
  const deposit = sampleDeposit();
  const slow = transaction(
    database.db,
    async (tx) => {
      await recordDeposit(tx, deposit);
      await select(tx, 'SELECT pg_sleep(0.3)::text');
      await select(tx, 'SELECT 1');
    },
    { timeoutMs: 100 },
  );
  await expect(slow).rejects.toThrow(coded('transaction_timeout'));
  expect(await countRows(database.sql, deposit.receipt)).toEqual(NOTHING);
});

test('a connection that is cut between two statements is a lost connection, whatever comes next', async () => {
  for (const speak of [
    (tx: Handle) => select(tx, 'SELECT 1'),
    async (tx: Handle) => void (await tx.prisma.wallet.count()),
  ]) {
    const deposit = sampleDeposit();
    const cut = transaction(database.db, async (tx) => {
      await recordDeposit(tx, deposit);
      const [row] = (await tx.run({ name: 'pid', text: 'SELECT pg_backend_pid() AS pid' }, [])) as [
        { pid: number },
      ];
      await database.sql('SELECT pg_terminate_backend($1, 5000)', [row.pid]);
      await speak(tx);
    });
    await expect(cut).rejects.toThrow(coded('outcome_unknown'));
    expect(await countRows(database.sql, deposit.receipt)).toEqual(NOTHING);
  }
});

test('a connection that is cut in the middle of a statement is a lost connection', async () => {
  const cut = transaction(database.db, (tx) => select(tx, 'SELECT pg_terminate_backend(pg_backend_pid())'));
  await expect(cut).rejects.toThrow(coded('outcome_unknown'));
});

test('the connection of a failed transaction serves the next one', async () => {
  const db = createDb({ url: database.url, maxConnections: 1 });
  const failing = transaction(db, (tx) => select(tx, 'SELECT 1 / 0'));
  await expect(failing).rejects.toThrow(coded('database_error'));
  const [result] = await transaction(db, (tx) => recordDeposits(tx, [sampleDeposit()]));
  await db.close();
  expect(result?.outcome).toBe('suspense');
});

test('a deposit within a transaction is answered like one outside', async () => {
  const account = await openCustomer(database.db);
  const [inside, outside] = [sampleDeposit({ account }), sampleDeposit({ account })];
  const first = await transaction(database.db, (tx) => recordDeposit(tx, inside));
  const second = await recordDeposit(database.db, outside);
  const shape = (result: object) => Object.entries(result).map(([key, value]) => [key, typeof value]);
  expect(shape(first)).toEqual(shape(second));
});
