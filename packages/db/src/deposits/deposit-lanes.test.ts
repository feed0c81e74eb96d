import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createDb } from '../connection/db.ts';
import type { Db } from '../connection/db.ts';
import { refusalOf } from '../testing/ledger/refusal.ts';
import { ledgerFaults } from '../testing/ledger/faults.ts';
import { meet, useRace } from '../testing/ledger/race.ts';
import { newKey } from '../testing/ledger/requests.ts';
import { post } from '../testing/database/post.ts';
import { untilWaiting } from '../testing/database/lock-waiters.ts';
import { connect, openTestDb, useTestDb } from '../testing/database/test-db.ts';
import type { Sql, TestDb } from '../testing/database/test-db.ts';
import { balanceOf, newPhone, openCustomer, setStatus } from '../testing/database/wallet-fixtures.ts';
import { newReceipt, sampleDeposit } from '../testing/deposits/sample-deposit.ts';
import { assignSuspense } from '../ledger/assign-suspense.ts';
import { reverseTransaction } from '../ledger/reversals.ts';
import { laneOf, stripeOf } from '../lanes.ts';
import { formatCents, parseCents } from '../money.ts';
import { newWalletNumber } from '../wallets/wallet-number.ts';
import { createDepositIntake } from './deposit-intake.ts';
import { recordDeposit, recordDeposits } from './record-deposits.ts';

const database = useTestDb();
const race = useRace(database);

/** Opens a wallet in each of the lanes; answers their numbers. */
async function openIn({ db }: Pick<TestDb, 'db'>, lanes: readonly number[]): Promise<string[]> {
  return Promise.all(
    lanes.map((lane) => {
      let number = newWalletNumber();
      while (laneOf(number) !== lane) number = newWalletNumber();
      return openCustomer(db, { number });
    }),
  );
}

/** What money came into a lane is not what left its float. Deposits alone never move money between lanes. */
async function laneFaults(sql: Sql): Promise<unknown[]> {
  return sql(
    'SELECT lane, sum(balance)::text AS sum FROM core.wallets GROUP BY lane HAVING sum(balance) <> 0',
  );
}

test('whatever a batch mixes, each lane takes from its own float and keeps what nobody can have', async () => {
  await using own = await openTestDb();
  const other = createDb({ url: own.url });
  const [first = '', second = '', third = '', frozen = ''] = await openIn(own, [0, 7, 12, 9]);
  await setStatus(own.sql, frozen, 'FROZEN');
  const phone = newPhone();
  await openCustomer(own.db, { phone });
  const spaced = `${third.slice(0, 4)} ${third.slice(4)}`;
  const accounts = [first, second, spaced, frozen, phone, 'nobody', '', 'SUSPENSE.3'];
  const payment = fc.record({
    account: fc.constantFrom(...accounts),
    amount: fc.integer({ min: 1, max: 99 }).map((cents) => `0.${String(cents).padStart(2, '0')}`),
  });
  const sent = fc.record({
    lanes: fc.integer({ min: 1, max: 16 }),
    payments: fc.array(payment, { minLength: 1, maxLength: 60 }),
  });
  await fc.assert(
    fc.asyncProperty(sent, sent, async (one, two) => {
      // Two processes with lanes of their own, and batches small enough to be many.
      const record = async (db: Db, { lanes, payments }: typeof one) => {
        const intake = createDepositIntake(db, { lanes, maxBatch: 20 });
        return Promise.all(payments.map((each) => intake.record(sampleDeposit(each))));
      };
      const results = (await Promise.all([record(own.db, one), record(other, two)])).flat();
      expect(results.filter(({ outcome }) => outcome !== 'credited' && outcome !== 'suspense')).toEqual([]);
      expect(await laneFaults(own.sql)).toEqual([]);
    }),
    { numRuns: 25 },
  );
  expect(await ledgerFaults(own.sql)).toEqual([]);
  const [rows] = await own.sql(
    `SELECT count(*)::int AS wrong FROM core.transactions t
       JOIN core.wallets d ON d.id = t.debit_wallet_id JOIN core.wallets c ON c.id = t.credit_wallet_id
       JOIN services.mpesa_logs l ON l.id = t.id JOIN services.mpesa_callbacks i ON i.id = t.id
       LEFT JOIN services.sms_logs s ON s.id = t.id
      WHERE t.lane <> ANY (ARRAY[d.lane, c.lane, l.lane, i.lane, coalesce(s.lane, t.lane)])`,
  );
  expect(rows).toEqual({ wrong: 0 });
  await other.close();
});

test('a batch of one lane looks at no system wallet but the float of its lane', async () => {
  const accounts = await openIn(database, [5, 5, 5]);
  const holder = await connect(database.url);
  const db = createDb({ url: database.url, statementTimeoutMs: 5_000 });
  try {
    await holder.query('BEGIN');
    await holder.query(`SELECT FROM core.wallets WHERE kind = 'SYSTEM' AND id <> $1 ORDER BY id FOR UPDATE`, [
      stripeOf('MPESA-FLOAT', 5),
    ]);
    const results = await recordDeposits(
      db,
      accounts.map((account) => sampleDeposit({ account })),
    );
    expect(results.map(({ outcome }) => outcome)).toEqual(['credited', 'credited', 'credited']);
  } finally {
    await holder.end();
    await db.close();
  }
});

test('while one lane waits the others go on, and what was sent to one wallet stays in its order', async () => {
  const [slow = '', fast = ''] = await openIn(database, [0, 1]);
  const intake = createDepositIntake(database.db, { lanes: 2 });
  const holder = await connect(database.url);
  await holder.query('BEGIN');
  await holder.query('SELECT FROM core.wallets WHERE id = $1 FOR UPDATE', [slow]);
  // More than go together when few wait.
  const into = (account: string) =>
    Array.from({ length: 40 }, () => intake.record(sampleDeposit({ account, amount: '1.00' })));
  const waiting = into(slow);
  const done = await Promise.all(into(fast));
  expect(done.map((result) => 'balanceAfter' in result && result.balanceAfter)).toEqual(
    done.map((_, i) => `${i + 1}.00`),
  );
  await untilWaiting(database.url, 1);
  const later = into(slow);
  expect(intake.depth).toBe(80);
  await holder.query('COMMIT');
  await holder.end();
  const all = await Promise.all([...waiting, ...later]);
  expect(all.map((result) => 'balanceAfter' in result && result.balanceAfter)).toEqual(
    all.map((_, i) => `${i + 1}.00`),
  );
  await intake.close();
});

test.each([
  ['duplicate', 'the same amount', '10.00'],
  ['conflict', 'another amount', '11.00'],
] as const)(
  'of one payment that two lanes record at once one is credited, and the other is a %s when it has %s',
  async (answer, _, amount) => {
    const deadlocks = await deadlocksOf(database.sql);
    for (let round = 0; round < 6; round += 1) {
      const accounts = await openIn(database, [2, 3]);
      const receipts = Array.from({ length: 20 }, () => newReceipt());
      const outcomes: string[][] = [[], []];
      // In opposite orders, so that index entries taken in the order of the batch would be waited for in a circle.
      await meet(
        race,
        accounts,
        accounts.map((account, lane) => async (db) => {
          const order = lane === 0 ? receipts : receipts.toReversed();
          const deposits = order.map((receipt) =>
            sampleDeposit({ receipt, account, amount: lane === 0 ? '10.00' : amount }),
          );
          outcomes[lane] = (await recordDeposits(db, deposits)).map(({ outcome }) => outcome);
        }),
      );
      const all = outcomes.flat();
      expect(all.filter((outcome) => outcome === 'credited')).toHaveLength(20);
      expect(all.filter((outcome) => outcome === answer)).toHaveLength(20);
    }
    expect(await deadlocksOf(database.sql)).toBe(deadlocks);
    expect(await ledgerFaults(database.sql)).toEqual([]);
  },
);

async function deadlocksOf(sql: Sql): Promise<number> {
  const [row] = await sql('SELECT deadlocks::int FROM pg_stat_database WHERE datname = current_database()');
  return Number(row?.['deadlocks']);
}

test('money that came into suspense before there were lanes is assigned and sent back from where it is', async () => {
  const [wallet = ''] = await openIn(database, [6]);
  const receipts = [newReceipt(), newReceipt()];
  const [assigned = '', reversed = ''] = receipts;
  await post(
    database.sql,
    receipts.map((reference) => ({
      reference,
      from: 'MPESA-FLOAT',
      to: 'SUSPENSE',
      amount: '40.00',
      type: 'DEPOSIT',
    })),
  );
  const before = parseCents(await balanceOf(database.sql, 'SUSPENSE'));
  await assignSuspense(database.db, { receipt: assigned, wallet });
  await reverseTransaction(database.db, { reference: reversed, idempotencyKey: newKey() });
  expect(await balanceOf(database.sql, wallet)).toBe('40.00');
  expect(await balanceOf(database.sql, 'SUSPENSE')).toBe(formatCents(before - 8_000n));
  expect(await ledgerFaults(database.sql)).toEqual([]);
});

test('money that waits in a lane is shown under its account, and assigned to a wallet of any other lane', async () => {
  const [wallet = ''] = await openIn(database, [4]);
  const deposit = sampleDeposit({ account: 'nobody', amount: '12.00' });
  expect(laneOf('nobody')).not.toBe(0);
  expect(await recordDeposit(database.db, deposit)).toMatchObject({
    outcome: 'suspense',
    wallet: 'SUSPENSE',
  });
  const posted = await assignSuspense(database.db, { receipt: deposit.receipt, wallet });
  expect(posted).toMatchObject({ from: 'SUSPENSE', to: wallet, amount: '12.00' });
  expect(
    await refusalOf(
      reverseTransaction(database.db, { reference: deposit.receipt, idempotencyKey: newKey() }),
    ),
  ).toBe('already_assigned');
});

test('a payment that names no account at all waits in a lane too', async () => {
  const receipt = newReceipt();
  const rows = await database.sql(
    `SELECT outcome, reason, wallet FROM services.record_deposits(
       ARRAY[$1], ARRAY[5], ARRAY['600123'], ARRAY[NULL]::text[], ARRAY[now()]::timestamp[], ARRAY[NULL]::text[],
       ARRAY[NULL]::text[], ARRAY[NULL]::text[], ARRAY['{}'], ARRAY['API'], ARRAY[NULL]::text[], ARRAY[1], ARRAY[2], '{}'::bytea
     )`,
    [receipt],
  );
  expect(rows).toEqual([{ outcome: 'suspense', reason: 'no_account', wallet: 'SUSPENSE' }]);
});
