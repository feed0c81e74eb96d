import { startDatabaseProxy } from '@repo/postgres/proxy';
import { startServer } from '@repo/postgres/server';
import { expect, test } from 'vitest';
import type { Deposit, DepositResult } from './deposit.ts';
import { createDb } from '../connection/db.ts';
import { createDepositIntake } from './deposit-intake.ts';
import type { DepositIntake } from './deposit-intake.ts';
import { isDaftariError } from '../errors.ts';
import { ledgerFaults } from '../testing/ledger/faults.ts';
import { untilWaiting } from '../testing/database/lock-waiters.ts';
import { migrate } from '../testing/database/migrate.ts';
import { sampleDeposit } from '../testing/deposits/sample-deposit.ts';
import { connect, openTestDb, sqlOf, valueOf } from '../testing/database/test-db.ts';
import type { Sql } from '../testing/database/test-db.ts';
import { balanceOf, openCustomer } from '../testing/database/wallet-fixtures.ts';

/** The errors that a caller may get while the database comes and goes. */
const EXCUSES = ['outcome_unknown', 'database_unavailable', 'pool_exhausted', 'database_busy'];

async function recordAll(
  intake: DepositIntake,
  deposits: readonly Deposit[],
): Promise<PromiseSettledResult<DepositResult>[]> {
  return Promise.allSettled(deposits.map((deposit) => intake.record(deposit)));
}

/** Repeats what had no good answer until everything has one, as a sender would. */
async function recordUntilDone(intake: DepositIntake, deposits: readonly Deposit[]): Promise<void> {
  let open = deposits;
  for (let attempt = 0; attempt < 200 && open.length > 0; attempt += 1) {
    const results = await recordAll(intake, open);
    for (const result of results) {
      if (result.status === 'fulfilled') continue;
      expect(EXCUSES).toContain(isDaftariError(result.reason) ? result.reason.code : result.reason);
    }
    open = open.filter((_, i) => results[i]?.status === 'rejected');
  }
  expect(open).toEqual([]);
}

async function expectEachOnce(sql: Sql, account: string, deposits: readonly Deposit[]): Promise<void> {
  const receipts = deposits.map(({ receipt }) => receipt);
  const counts = await sql(
    `SELECT (SELECT count(*)::int FROM core.transactions WHERE reference = ANY ($1)) AS transactions,
            (SELECT count(*)::int FROM services.mpesa_logs WHERE mpesa_receipt = ANY ($1)) AS logs,
            (SELECT count(*)::int FROM services.mpesa_callbacks WHERE receipt = ANY ($1) AND outcome = 'CREDITED') AS credits`,
    [receipts],
  );
  const n = deposits.length;
  expect(counts).toEqual([{ transactions: n, logs: n, credits: n }]);
  expect(await balanceOf(sql, account)).toBe(`${n}.00`);
  expect(await ledgerFaults(sql)).toEqual([]);
}

const TERMINATE = `
SELECT count(pg_terminate_backend(pid))::int FROM pg_stat_activity
 WHERE application_name = 'daftari' AND datname = current_database()`;

test('a connection that is lost once is not even noticed by the caller', async () => {
  await using database = await openTestDb();
  const intake = createDepositIntake(database.db);
  const account = await openCustomer(database.db);
  await database.sql('BEGIN');
  await database.sql('SELECT 1 FROM core.wallets WHERE id = $1 FOR UPDATE', [account]);
  const recording = intake.record(sampleDeposit({ account, amount: '1.00' }));
  await untilWaiting(database.url, 1);
  expect(await valueOf(database.sql, TERMINATE)).toBeGreaterThan(0);
  await database.sql('COMMIT');
  expect(await recording).toMatchObject({ outcome: 'credited', balanceAfter: '1.00' });
});

test('backends that are killed in the middle cost nobody an answer and no payment its credit', async () => {
  await using database = await openTestDb();
  const intake = createDepositIntake(database.db, { maxBatch: 25 });
  const account = await openCustomer(database.db);
  const deposits = Array.from({ length: 500 }, () => sampleDeposit({ account, amount: '1.00' }));
  const progress = { isDone: false };
  const killing = (async () => {
    let killed = 0;
    while (!progress.isDone || killed === 0) {
      killed += Number(await valueOf(database.sql, TERMINATE));
    }
    return killed;
  })();
  const answers = await recordAll(intake, deposits);
  progress.isDone = true;
  expect(await killing).toBeGreaterThan(0);
  expect(answers).toHaveLength(500);
  await recordUntilDone(intake, deposits);
  await expectEachOnce(database.sql, account, deposits);
});

test('a server that crashes and comes back has credited everything once when all is repeated', async () => {
  await using first = await startServer({ durable: false });
  await migrate(first.url);
  const db = createDb({ url: first.url });
  const intake = createDepositIntake(db, { maxBatch: 20 });
  const account = await openCustomer(db);
  const deposits = Array.from({ length: 300 }, () => sampleDeposit({ account, amount: '1.00' }));
  const recording = recordAll(intake, deposits);
  await intake.record(sampleDeposit());
  await first.kill();
  const answers = await recording;
  const { port, dataDirectory } = first;
  await using second = await startServer({ dataDirectory, port, durable: false });
  await recordUntilDone(intake, deposits);
  const client = await connect(second.url);
  await expectEachOnce(sqlOf(client), account, deposits);
  await client.end();
  await db.close();
  expect(answers).toHaveLength(300);
});

test('while the database is down a full intake is answered with a handful of attempts', async () => {
  await using database = await openTestDb();
  await using proxy = await startDatabaseProxy(database.url);
  proxy.cut();
  const db = createDb({ url: proxy.url });
  const intake = createDepositIntake(db);
  const results = await recordAll(
    intake,
    Array.from({ length: 1_000 }, () => sampleDeposit()),
  );
  await db.close();
  const codes = results.map(
    (result) => result.status === 'rejected' && (result.reason as { code: string }).code,
  );
  expect(new Set(codes)).toEqual(new Set(['database_unavailable']));
  expect(proxy.connections).toBeLessThan(10);
});

test('an answer that was lost is not followed by the promise that nothing was recorded', async () => {
  await using database = await openTestDb();
  await using proxy = await startDatabaseProxy(database.url);
  const db = createDb({ url: proxy.url, maxConnections: 1 });
  const intake = createDepositIntake(db);
  const account = await openCustomer(db);
  // The deposit waits for this lock while its connection is cut; its outcome is unknown then.
  await database.sql('BEGIN');
  await database.sql('SELECT 1 FROM core.wallets WHERE id = $1 FOR UPDATE', [account]);
  const recording = recordAll(intake, [sampleDeposit({ account })]);
  await untilWaiting(database.url, 1);
  proxy.cut();
  expect(await recording).toMatchObject([{ status: 'rejected', reason: { code: 'outcome_unknown' } }]);
  await database.sql('COMMIT');
  await db.close();
});
