import { expect, test } from 'vitest';
import type { Db } from '../connection/db.ts';
import { captureHold } from './holds.ts';
import { reverseTransaction } from './reversals.ts';
import { assignSuspense } from './assign-suspense.ts';
import { openHeld } from '../testing/database/held-wallet.ts';
import { allFaults } from '../testing/ledger/hold-faults.ts';
import { meet, useRace } from '../testing/ledger/race.ts';
import { newKey, sampleTransfer } from '../testing/ledger/requests.ts';
import { payIntoSuspense } from '../testing/ledger/suspense.ts';
import { times } from '../testing/database/nodes.ts';
import { useTestDb } from '../testing/database/test-db.ts';
import { openCustomer, openFunded } from '../testing/database/wallet-fixtures.ts';
import { transfer } from './transfers.ts';

const database = useTestDb();
const race = useRace(database);

interface Key {
  readonly idempotencyKey: string;
}

/** Operations that are ready to be asked for under a key, and a wallet that each has to wait for. */
const OPERATIONS = {
  capture: async () => {
    const { wallet, placed } = await openHeld(database, {});
    const ask = (db: Db, key: Key) => captureHold(db, { holdId: placed.id, to: 'MPESA-FLOAT', ...key });
    return { wallet, ask };
  },
  reversal: async () => {
    const [from, to] = [await openFunded(database, '50.00'), await openCustomer(database.db)];
    const { reference } = await transfer(database.db, sampleTransfer({ from, to }));
    return { wallet: to, ask: (db: Db, key: Key) => reverseTransaction(db, { reference, ...key }) };
  },
  assignment: async () => {
    const [receipt, wallet] = [await payIntoSuspense(database.db), await openCustomer(database.db)];
    return { wallet, ask: (db: Db, key: Key) => assignSuspense(db, { receipt, wallet, ...key }) };
  },
} as const;

test.each(['capture', 'reversal', 'assignment'] as const)(
  'when a transfer and the %s of other wallets meet under one key, one is done and the other gets the reason why not',
  async (kind) => {
    const outcomes = new Set<string>();
    for (let round = 0; round < times(40); round += 1) {
      const key = { idempotencyKey: newKey() };
      const [from, to] = [await openFunded(database, '50.00'), await openCustomer(database.db)];
      const { wallet, ask } = await OPERATIONS[kind]();
      const results = await meet(
        race,
        [from, wallet],
        [(db) => transfer(db, { ...sampleTransfer({ from, to }), ...key }), (db) => ask(db, key)],
      );
      outcomes.add(results.toSorted().join(' and '));
    }
    expect([...outcomes]).toEqual(['done and key_reused']);
  },
);

test('after all of this the ledger is sound', async () => {
  expect(await allFaults(database.sql)).toEqual([]);
});
