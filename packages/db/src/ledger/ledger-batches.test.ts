import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createDb } from '../connection/db.ts';
import { recordDeposit } from '../deposits/record-deposits.ts';
import { hold } from './holds.ts';
import { operation, runOperations } from './operations.ts';
import type { Operation } from './operations.ts';
import { reverseTransaction } from './reversals.ts';
import { allFaults } from '../testing/ledger/hold-faults.ts';
import { addFeeRule } from '../testing/ledger/fees.ts';
import { newKey, sampleTransfer } from '../testing/ledger/requests.ts';
import { payIntoSuspense } from '../testing/ledger/suspense.ts';
import { untilWaiting } from '../testing/database/lock-waiters.ts';
import { captureOf, holdOf, runBatch, runSingly } from '../testing/ledger/operation-batches.ts';
import { newReceipt, sampleDeposit } from '../testing/deposits/sample-deposit.ts';
import { connect, sqlOf, useTestDb } from '../testing/database/test-db.ts';
import type { Row } from '../testing/database/test-db.ts';
import { balanceOf, openFunded } from '../testing/database/wallet-fixtures.ts';
import { transfer } from './transfers.ts';

const database = useTestDb();
const { sql } = database;

/** Three wallets, and something in each that can be captured, released, sent back or assigned. */
interface World {
  readonly name: string;
  readonly wallets: readonly string[];
  readonly holds: readonly string[];
  readonly references: readonly string[];
  readonly receipts: readonly string[];
}

let worlds = 0;

async function openWorld(): Promise<World> {
  worlds += 1;
  const wallets = [];
  for (let i = 0; i < 3; i += 1) wallets.push(await openFunded(database, '100.00'));
  const holds = [];
  const references = [];
  const receipts = [];
  for (const [i, wallet] of wallets.entries()) {
    const placed = await hold(database.db, { wallet, amount: '20.00', idempotencyKey: newKey() });
    holds.push(placed.id);
    const to = wallets[(i + 1) % 3] ?? '';
    references.push((await transfer(database.db, sampleTransfer({ from: wallet, to }))).reference);
    receipts.push(await payIntoSuspense(database.db, { amount: '30.00' }));
  }
  return { name: `world${worlds}`, wallets, holds, references, receipts };
}

const asked = fc.record({
  kind: fc.constantFrom('HOLD', 'CAPTURE', 'RELEASE', 'REVERSE', 'ASSIGN'),
  // Few of each, so that they meet: one key for two requests, two captures of one hold.
  key: fc.nat(9),
  which: fc.nat(3),
  wallet: fc.nat(5),
  cents: fc.option(fc.integer({ min: 1, max: 6_000 })),
});
type Asked = typeof asked extends fc.Arbitrary<infer One> ? One : never;

function operationOf(one: Asked, place: number, world: World): Operation {
  const { kind, which } = one;
  const amount = one.cents === null ? null : (one.cents / 100).toFixed(2);
  const wallet = [...world.wallets, 'MPESA-FLOAT', 'NOBODY', 'SUSPENSE'][one.wallet] ?? '';
  const isKeyless = kind === 'ASSIGN' && which === 0;
  const facts = {
    key: isKeyless ? null : `${world.name}-${one.key}`,
    digest: isKeyless ? null : `${kind}-${which}-${one.wallet}-${String(amount)}`,
    holdId: world.holds[which] ?? '00000000-0000-7000-8000-000000000000',
    // Also what the batch itself will have written by then.
    original:
      kind === 'ASSIGN' ? (world.receipts[which] ?? 'NEVER') : (originals(world)[which + one.wallet] ?? ''),
    wallet,
    amount: kind === 'HOLD' ? (amount ?? '1.00') : amount,
    reference: `${world.name}-${place}`,
  };
  return operation(kind, facts);
}

const originals = ({ references, receipts }: World) => [
  ...references,
  ...receipts,
  ...receipts.map((receipt) => `AS-${receipt}`),
];

/** All that is in a world, without the names that are different in every world. */
async function stateOf({ wallets, holds }: World) {
  const places = new Map<unknown, unknown>([...wallets, ...holds].map((name, i) => [name, i]));
  const rename = (row: Row) =>
    Object.fromEntries(Object.entries(row).map(([name, value]) => [name, places.get(value) ?? value]));
  const balances = await sql(
    'SELECT balance, held, version FROM core.wallets WHERE id = ANY ($1) ORDER BY array_position($1, id::text)',
    [wallets],
  );
  const reserved = await sql(
    `SELECT wallet_id, amount, captured, status, placed_available, closed_available FROM core.holds
      WHERE wallet_id = ANY ($1)`,
    [wallets],
  );
  const postings = await sql(
    `SELECT debit_wallet_id AS wallet, debit_version AS version, type, -amount AS change, idempotency_key IS NOT NULL AS keyed
       FROM core.transactions WHERE debit_wallet_id = ANY ($1)
     UNION ALL
     SELECT credit_wallet_id, credit_version, type, amount, idempotency_key IS NOT NULL
       FROM core.transactions WHERE credit_wallet_id = ANY ($1)`,
    [wallets],
  );
  // Rows of one batch share a millisecond: versions order the postings, and holds have no order.
  const inOrder = (rows: Row[]) => rows.map((row) => JSON.stringify(rename(row))).toSorted();
  return { balances, reserved: inOrder(reserved), postings: inOrder(postings) };
}

/** So that no run is without them. */
const EVERY_OUTCOME: Asked[] = [
  { kind: 'HOLD', key: 1, which: 0, wallet: 0, cents: 100 },
  { kind: 'HOLD', key: 1, which: 0, wallet: 0, cents: 100 },
  { kind: 'HOLD', key: 1, which: 0, wallet: 0, cents: 101 },
  { kind: 'RELEASE', key: 2, which: 0, wallet: 0, cents: null },
  { kind: 'CAPTURE', key: 3, which: 0, wallet: 3, cents: null },
  { kind: 'ASSIGN', key: 4, which: 1, wallet: 0, cents: null },
  { kind: 'ASSIGN', key: 5, which: 1, wallet: 1, cents: null },
];

test('a batch answers and leaves behind what its operations would one after the other', async () => {
  await addFeeRule(sql, { type: 'WITHDRAWAL', flat: '1.00' });
  const outcomes = new Set<unknown>();
  await fc.assert(
    fc.asyncProperty(fc.array(asked, { minLength: 1, maxLength: 40 }), async (all) => {
      const [together, apart] = [await openWorld(), await openWorld()];
      const batch = await runBatch(
        sql,
        all.map((one, i) => operationOf(one, i, together)),
      );
      const singles = [];
      for (const [i, one] of all.entries()) singles.push(await runSingly(sql, operationOf(one, i, apart)));
      expect(batch.map(({ outcome, reason }) => ({ outcome, reason }))).toEqual(singles);
      for (const { outcome, reason } of singles) outcomes.add(reason ?? outcome);
      expect(await stateOf(together)).toEqual(await stateOf(apart));
      expect(await allFaults(sql)).toEqual([]);
    }),
    { numRuns: 25, examples: [[EVERY_OUTCOME]] },
  );
  for (const outcome of ['posted', 'replayed', 'key_reused', 'hold_closed', 'already_assigned']) {
    expect(outcomes).toContain(outcome);
  }
});

test('batches over the same wallets from both ends never wait in a circle', async () => {
  const wallets: string[] = [];
  for (let i = 0; i < 8; i += 1) wallets.push(await openFunded(database, '1000.00'));
  const clients = await Promise.all(Array.from({ length: 4 }, () => connect(database.url)));
  try {
    // Past the package, which would try again: a deadlock rejects here.
    await Promise.all(
      clients.map(async (client, lane) => {
        const own = sqlOf(client);
        const order = lane % 2 === 0 ? wallets : wallets.toReversed();
        for (let round = 0; round < 25; round += 1) {
          const placed = await runBatch(
            own,
            order.map((wallet) => holdOf(wallet)),
          );
          const ids = placed.map(({ hold_id: id }) => String(id));
          // Of wallets that these operations do not name.
          const closing = ids.map((holdId, i) =>
            i % 2 === 0
              ? operation('RELEASE', { holdId })
              : captureOf(holdId, i % 4 === 1 ? 'MPESA-FLOAT' : (order[(i + 3) % order.length] ?? '')),
          );
          await runBatch(own, closing);
          const paid = closing.flatMap(({ reference }) => reference ?? []);
          await runBatch(
            own,
            paid.map((original) =>
              operation('REVERSE', { original, key: original, digest: 'digest', reference: `${original}-R` }),
            ),
          );
        }
      }),
    );
  } finally {
    await Promise.all(clients.map((client) => client.end()));
  }
  expect(await allFaults(sql)).toEqual([]);
});

test('payouts in batches and payouts by themselves, of different wallets, never wait in a circle', async () => {
  const wallets: string[] = [];
  for (let i = 0; i < 4; i += 1) wallets.push(await openFunded(database, '1000.00'));
  const clients = await Promise.all(wallets.map(() => connect(database.url)));
  try {
    await Promise.all(
      clients.map(async (client, lane) => {
        const own = sqlOf(client);
        const wallet = wallets[lane] ?? '';
        for (let round = 0; round < 60; round += 1) {
          const [placed] = await runBatch(own, [holdOf(wallet)]);
          const capture = captureOf(String(placed?.['hold_id']), 'MPESA-FLOAT');
          await (lane % 2 === 0 ? runBatch(own, [capture]) : runSingly(own, capture));
        }
      }),
    );
  } finally {
    await Promise.all(clients.map((client) => client.end()));
  }
  expect(await allFaults(sql)).toEqual([]);
});

test('two batches that use the same keys for other requests, the other way round, are both answered', async () => {
  const keys = [newKey(), newKey()];
  const dbs = keys.map(() => createDb({ url: database.url, maxConnections: 1 }));
  const wallets = [await openFunded(database, '200.00'), await openFunded(database, '200.00')];
  const batches = wallets.map((wallet, lane) => {
    const using = (key = '') => ({ ...holdOf(wallet), key, digest: `of ${wallet}` });
    // Enough between the two keys for the other batch to take its first one.
    const between = Array.from({ length: 60 }, () => holdOf(wallet));
    return [using(keys[lane]), ...between, using(keys[1 - lane])];
  });
  // The connections are open and their plans made before the batches meet.
  await Promise.all(dbs.map((own, lane) => runOperations(own, [holdOf(wallets[lane] ?? '')])));
  const answers = await Promise.all(
    dbs.map(async (own, lane) => {
      const results = await runOperations(own, batches[lane] ?? []);
      const ends = [results[0], results.at(-1)];
      return lane === 0 ? ends : ends.toReversed();
    }),
  );
  for (const place of [0, 1]) {
    const told = answers.map((ofLane) => ofLane[place]?.row.outcome);
    expect(new Set(told)).toEqual(new Set(['key_reused', 'posted']));
  }
  await Promise.all(dbs.map((own) => own.close()));
});

test('a transaction that is posted while its reversal waits for other wallets is reversed all the same', async () => {
  const wallets = (
    await Promise.all([openFunded(database, '10.00'), openFunded(database, '10.00')])
  ).toSorted();
  const [first = '', last = ''] = wallets;
  const receipt = newReceipt();
  const own = createDb({ url: database.url, maxConnections: 1 });
  const holder = await connect(database.url);
  const reversal = (key: string) =>
    operation('REVERSE', { original: receipt, key, digest: 'digest', reference: `DF-${key}` });
  const raw = await connect(database.url);
  try {
    await holder.query('BEGIN');
    await holder.query('SELECT 1 FROM core.wallets WHERE id = $1 FOR UPDATE', [last]);
    const batch = runBatch(sqlOf(raw), [holdOf(last), reversal(newKey())]).catch((error: unknown) => error);
    await untilWaiting(database.url, 1);
    await recordDeposit(database.db, sampleDeposit({ receipt, account: first, amount: '5.00' }));
    await holder.query('COMMIT');
    // Said once it is undone whole, rather than locking wallets out of order; the package says it again.
    expect(await batch).toMatchObject({ code: '40001' });
    const back = await reverseTransaction(own, { reference: receipt, idempotencyKey: newKey() });
    expect(back).toMatchObject({ amount: '5.00', from: first });
    expect(await balanceOf(sql, first)).toBe('10.00');
  } finally {
    await Promise.all([holder.end(), raw.end()]);
    await own.close();
  }
});

test('arrays of different lengths and unknown kinds are refused whole', async () => {
  const wallet = await openFunded(database, '10.00');
  const uneven = sql(`
    SELECT * FROM core.run_operations(
      ARRAY['HOLD', 'HOLD'], ARRAY['k', 'l'], ARRAY['d', 'd'], ARRAY[NULL, NULL]::uuid[], ARRAY[NULL, NULL]::text[],
      ARRAY['x'], ARRAY[1, 1], ARRAY[NULL, NULL]::timestamp[], ARRAY[NULL, NULL]::text[], ARRAY[NULL, NULL]::text[])`);
  await expect(uneven).rejects.toMatchObject({ code: '22023' });
  const strange = operation('STEAL' as 'HOLD', { wallet });
  await expect(runBatch(sql, [holdOf(wallet), strange])).rejects.toMatchObject({ code: '22023' });
  expect(await sql('SELECT 1 FROM core.holds WHERE wallet_id = $1', [wallet])).toEqual([]);
  expect(await runBatch(sql, [])).toEqual([]);
});

test('after a batch the door is closed again, also within its transaction', async () => {
  const wallet = await openFunded(database, '10.00');
  await sql('BEGIN');
  await runBatch(sql, [holdOf(wallet), holdOf('NOBODY')]);
  const around = sql('UPDATE core.wallets SET held = held + 1 WHERE id = $1', [wallet]);
  await expect(around).rejects.toMatchObject({ code: 'DF003' });
  await sql('ROLLBACK');
});
