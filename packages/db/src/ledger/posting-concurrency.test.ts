import { expect, test } from 'vitest';
import { ledgerFaults } from '../testing/ledger/faults.ts';
import { post } from '../testing/database/post.ts';
import type { Posted, Posting } from '../testing/database/post.ts';
import { times } from '../testing/database/nodes.ts';
import { connect, openTestDb, sqlOf } from '../testing/database/test-db.ts';
import type { Sql } from '../testing/database/test-db.ts';
import { balanceOf, openCustomer, openFunded } from '../testing/database/wallet-fixtures.ts';

const CONNECTIONS = 6;
const ROUNDS = times(25);

/** Runs the rounds of several connections side by side; each round is one batch. */
async function race(
  url: string,
  batchOf: (connection: number, round: number) => readonly Posting[],
): Promise<Posted[]> {
  const clients = await Promise.all(Array.from({ length: CONNECTIONS }, () => connect(url)));
  try {
    const runs = clients.map(async (client, connection) => {
      const sql: Sql = sqlOf(client);
      const posted: Posted[] = [];
      for (let round = 0; round < ROUNDS; round += 1)
        posted.push(...(await post(sql, batchOf(connection, round))));
      return posted;
    });
    // A deadlock would reject here: the door has no second try of its own.
    return (await Promise.all(runs)).flat();
  } finally {
    await Promise.all(clients.map((client) => client.end()));
  }
}

test('batches over the same wallets in opposite orders never deadlock, and no cent is lost', async () => {
  await using database = await openTestDb();
  const wallets: string[] = [];
  for (let i = 0; i < 8; i += 1) wallets.push(await openFunded(database, '1000.00'));
  const posted = await race(database.url, (connection, round) => {
    const order = connection % 2 === 0 ? wallets : wallets.toReversed();
    return order.map((from, i) => ({
      reference: `R-${connection}-${round}-${i}`,
      from: i === 0 ? 'MPESA-FLOAT' : from,
      to: order[(i + 1) % order.length] ?? '',
      amount: '1.00',
    }));
  });
  expect(new Set(posted.map(({ outcome }) => outcome))).toEqual(new Set(['created']));
  expect(posted).toHaveLength(CONNECTIONS * ROUNDS * 8);
  expect(await ledgerFaults(database.sql)).toEqual([]);
});

test('two wallets that pay each other from both ends never deadlock', async () => {
  await using database = await openTestDb();
  const [one, two] = [await openFunded(database, '1000.00'), await openFunded(database, '1000.00')];
  await race(database.url, (connection, round) => [
    {
      reference: `R-${connection}-${round}`,
      from: connection % 2 === 0 ? one : two,
      to: connection % 2 === 0 ? two : one,
      amount: '1.00',
    },
  ]);
  expect([await balanceOf(database.sql, one), await balanceOf(database.sql, two)]).toEqual([
    '1000.00',
    '1000.00',
  ]);
  expect(await ledgerFaults(database.sql)).toEqual([]);
});

test('a wallet that everybody empties at once gives exactly what it had', async () => {
  await using database = await openTestDb();
  const enough = (CONNECTIONS * ROUNDS) / 3;
  const from = await openFunded(database, `${enough}.00`);
  const to = await openCustomer(database.db);
  const posted = await race(database.url, (connection, round) => [
    { reference: `R-${connection}-${round}`, from, to, amount: '1.00' },
  ]);
  const created = posted.filter(({ outcome }) => outcome === 'created');
  expect(created).toHaveLength(enough);
  const balances = [await balanceOf(database.sql, from), await balanceOf(database.sql, to)];
  expect(balances).toEqual(['0.00', `${enough}.00`]);
  expect(await ledgerFaults(database.sql)).toEqual([]);
});

test('one reference that everybody posts at once is created once', async () => {
  await using database = await openTestDb();
  const to = await openCustomer(database.db);
  const posted = await race(database.url, (_, round) => [
    { reference: `R-${round}`, from: 'MPESA-FLOAT', to, amount: '1.00', type: 'DEPOSIT' },
  ]);
  expect(posted.filter(({ outcome }) => outcome === 'created')).toHaveLength(ROUNDS);
  expect(posted.filter(({ outcome }) => outcome === 'exists')).toHaveLength(ROUNDS * (CONNECTIONS - 1));
  expect(await balanceOf(database.sql, to)).toBe(`${ROUNDS}.00`);
});

test('deposits and freezes at the same time credit no frozen wallet', async () => {
  await using database = await openTestDb();
  const to = await openCustomer(database.db);
  const freezer = await connect(database.url);
  const toggling = (async () => {
    for (let i = 0; i < 60; i += 1) {
      const status = i % 2 === 0 ? 'FROZEN' : 'ACTIVE';
      await freezer.query(`SELECT core.set_wallet_status($1, $2, 'a trial')`, [to, status]);
    }
  })();
  const posted = await race(database.url, (connection, round) => [
    {
      reference: `R-${connection}-${round}`,
      from: 'MPESA-FLOAT',
      to,
      amount: '1.00',
      type: 'DEPOSIT',
      fallback: 'SUSPENSE',
    },
  ]);
  await toggling;
  await freezer.end();
  const credited = posted.filter((item) => item.credited === to);
  expect(posted.every(({ reason, credited: wallet }) => (reason === null) === (wallet === to))).toBe(true);
  expect(await balanceOf(database.sql, to)).toBe(`${credited.length}.00`);
  expect(await ledgerFaults(database.sql)).toEqual([]);
});
