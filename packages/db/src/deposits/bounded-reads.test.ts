import { expect, test } from 'vitest';
import type { Db } from '../connection/db.ts';
import type { Handle } from '../connection/handle.ts';
import { recordDeposits } from './record-deposits.ts';
import { CAPTURING, PLACING, RELEASING } from '../ledger/holds.ts';
import { runOperations } from '../ledger/operations.ts';
import type { Operation } from '../ledger/operations.ts';
import { REVERSING } from '../ledger/reversals.ts';
import { ASSIGNING } from '../ledger/assign-suspense.ts';
import { newKey, sampleTransfer } from '../testing/ledger/requests.ts';
import { sampleDeposit } from '../testing/deposits/sample-deposit.ts';
import { openTestDb } from '../testing/database/test-db.ts';
import { openCustomer } from '../testing/database/wallet-fixtures.ts';
import { transaction } from '../connection/transaction.ts';
import { transfers } from '../ledger/transfers.ts';

const BATCH = 20;

/**
 * Rows that a batch may read for each of its items, in all tables: wallets, references, keys and receipts, some of
 * them for locks, look-ups and foreign keys. What is read from end to end is thousands.
 */
const READS_AN_ITEM = 30;

/** The same for an operation by a function of its own, which looks at each of its rows more than once. */
const READS_AN_OPERATION = 60;

/** The rows that `work` reads, by the server's own count. */
async function readsOf(db: Db, work: (handle: Handle) => Promise<unknown>): Promise<number> {
  return transaction(db, async (handle) => {
    // The count of a connection also holds what earlier transactions have not reported yet.
    const before = await readsSoFar(handle);
    await work(handle);
    return (await readsSoFar(handle)) - before;
  });
}

async function readsSoFar(handle: Handle): Promise<number> {
  const text = `SELECT coalesce(sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)), 0)::int AS reads
                  FROM pg_stat_xact_user_tables`;
  const [row] = (await handle.run({ name: 'test_reads', text }, [])) as { reads: number }[];
  return row?.reads ?? NaN;
}

// The plans of a connection are made at its first batch, when the tables are empty and known to be, and kept while
// they grow.
test('a batch reads the rows that it names and no others, on a database that was empty when its plans were made', async () => {
  await using database = await openTestDb({ maxConnections: 1 });
  const { db } = database;
  const wallets = await Promise.all(Array.from({ length: 2 * BATCH }, () => openCustomer(db)));
  const [from = '', ...others] = wallets;
  await database.sql('VACUUM (ANALYZE)');
  const deposits = () =>
    Array.from({ length: BATCH }, (_, place) =>
      sampleDeposit({ account: [from, others[place], 'nobody'][place % 3] ?? '', amount: '500.00' }),
    );
  const payments = () =>
    Array.from({ length: BATCH }, (_, place) =>
      sampleTransfer({ from, to: others[place] ?? '', amount: '1.00', idempotencyKey: newKey() }),
    );
  const first = { deposits: deposits(), transfers: payments() };
  const repeatAll = async (handle: Handle) => {
    await recordDeposits(handle, first.deposits);
    await transfers(handle, first.transfers);
  };
  await repeatAll(db);
  await repeatAll(db);
  for (let batch = 0; batch < 100; batch += 1) await recordDeposits(db, deposits());
  for (let batch = 0; batch < 100; batch += 1) await transfers(db, payments());

  const allowed = BATCH * READS_AN_ITEM;
  expect(await readsOf(db, (handle) => recordDeposits(handle, deposits()))).toBeLessThan(allowed);
  expect(await readsOf(db, (handle) => transfers(handle, payments()))).toBeLessThan(allowed);
  expect(await readsOf(db, repeatAll)).toBeLessThan(2 * allowed);
});

test('so does a batch of holds, captures, releases, reversals and assignments', async () => {
  await using database = await openTestDb({ maxConnections: 1 });
  const { db } = database;
  const wallets = await Promise.all(Array.from({ length: BATCH }, () => openCustomer(db)));
  await database.sql('VACUUM (ANALYZE)');
  const depositsTo = (account: string) =>
    Array.from({ length: BATCH }, (_, place) =>
      sampleDeposit({ account: account === '' ? '' : (wallets[place] ?? ''), amount: '500.00' }),
    );
  const holds = () =>
    wallets.map((wallet) => PLACING.prepare({ wallet, amount: '2.00', idempotencyKey: newKey() }));
  /** What can be done of each kind, once; the last is what was done before. */
  const prepare = async (): Promise<Operation[][]> => {
    const [paid, unclaimed] = [depositsTo('wallet'), depositsTo('')];
    await recordDeposits(db, [...paid, ...unclaimed]);
    const placed = holds();
    const ids = (await runOperations(db, [...placed, ...holds()])).map(({ row }) => row.hold_id ?? '');
    const [captured, released] = [ids.slice(0, BATCH), ids.slice(BATCH)];
    return [
      holds(),
      captured.map((holdId) => CAPTURING.prepare({ holdId, to: 'MPESA-FLOAT', idempotencyKey: newKey() })),
      released.map((holdId) => RELEASING.prepare({ holdId })),
      paid.map(({ receipt: reference }) => REVERSING.prepare({ reference, idempotencyKey: newKey() })),
      unclaimed.map(({ receipt }, i) => ASSIGNING.prepare({ receipt, wallet: wallets[i] ?? '' })),
      placed,
    ];
  };
  for (let round = 0; round < 20; round += 1) {
    for (const operations of await prepare()) await runOperations(db, operations);
  }
  for (const operations of await prepare()) {
    const reads = await readsOf(db, async (handle) => {
      const results = await runOperations(handle, operations);
      expect(results.map(({ row }) => row.reason)).toEqual(operations.map(() => null));
    });
    expect(reads).toBeLessThan(BATCH * READS_AN_OPERATION);
  }
});
