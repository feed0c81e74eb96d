import { expect, test } from 'vitest';
import { expireHolds } from './hold-expiry.ts';
import { captureHold, hold, releaseHold } from './holds.ts';
import { closeWallet, freezeWallet } from '../wallets/wallet-status.ts';
import { allFaults } from '../testing/ledger/hold-faults.ts';
import { meet, tally, useRace } from '../testing/ledger/race.ts';
import { newKey, sampleTransfer } from '../testing/ledger/requests.ts';
import { FAR_AHEAD, endEarly } from '../testing/ledger/late-holds.ts';
import { useTestDb, valueOf } from '../testing/database/test-db.ts';
import { openFunded } from '../testing/database/wallet-fixtures.ts';
import { transfer } from './transfers.ts';
import { lookupWallet } from '../wallets/wallets.ts';

const database = useTestDb();
const race = useRace(database);
const { sql } = database;
const FLOAT = 'MPESA-FLOAT';

test('of captures and releases that meet exactly one wins, and the money is exact', async () => {
  for (let round = 0; round < 6; round += 1) {
    const wallet = await openFunded(database, '100.00');
    const { id: holdId } = await hold(database.db, { wallet, amount: '40.00', idempotencyKey: newKey() });
    const told = await meet(race, wallet, [
      (db) => captureHold(db, { holdId, to: FLOAT, idempotencyKey: newKey() }),
      (db) => captureHold(db, { holdId, to: FLOAT, amount: '25.00', idempotencyKey: newKey() }),
      (db) => releaseHold(db, { holdId }),
      (db) => captureHold(db, { holdId, to: FLOAT, amount: '1.00', idempotencyKey: newKey() }),
    ]);
    expect(tally(told)).toEqual({ done: 1, hold_closed: 3 });
    const left = ['60.00', '75.00', '100.00', '99.00'][told.indexOf('done')];
    expect(await lookupWallet(database.db, wallet)).toMatchObject({ balance: left, held: '0.00' });
  }
});

test('of releases and the expiry that meet exactly one gives the money back', async () => {
  for (let round = 0; round < 4; round += 1) {
    const wallet = await openFunded(database, '100.00');
    const request = { wallet, amount: '40.00', idempotencyKey: newKey(), expiresAt: FAR_AHEAD };
    const { id: holdId } = await hold(database.db, request);
    await endEarly(database.db, holdId);
    let expired = 0;
    const sweep = async (db: Parameters<typeof expireHolds>[0]) => {
      const swept = await expireHolds(db);
      expired += swept.expired;
    };
    const told = await meet(race, wallet, [
      sweep,
      (db) => releaseHold(db, { holdId }),
      sweep,
      (db) => captureHold(db, { holdId, to: FLOAT, idempotencyKey: newKey() }),
    ]);
    expect(told[3]).toBe('hold_closed');
    expect(expired + (told[1] === 'done' ? 1 : 0)).toBe(1);
    expect(await lookupWallet(database.db, wallet)).toMatchObject({ balance: '100.00', held: '0.00' });
  }
});

test('one capture that arrives on six connections at once pays once and answers all', async () => {
  const wallet = await openFunded(database, '100.00');
  const { id: holdId } = await hold(database.db, { wallet, amount: '40.00', idempotencyKey: newKey() });
  const capture = { holdId, to: FLOAT, idempotencyKey: newKey() };
  const told = await meet(
    race,
    wallet,
    Array.from({ length: 6 }, () => (db) => captureHold(db, capture)),
  );
  expect(tally(told)).toEqual({ done: 6 });
  expect(await lookupWallet(database.db, wallet)).toMatchObject({ balance: '60.00', held: '0.00' });
});

test('holds that together ask for more than is available get no more than that', async () => {
  const wallet = await openFunded(database, '100.00');
  const place = (db: typeof database.db) => hold(db, { wallet, amount: '30.00', idempotencyKey: newKey() });
  const told = await meet(
    race,
    wallet,
    Array.from({ length: 6 }, () => place),
  );
  expect(tally(told)).toEqual({ done: 3, insufficient_funds: 3 });
  expect(await lookupWallet(database.db, wallet)).toMatchObject({ held: '90.00', available: '10.00' });
});

test('one hold that is asked for on six connections at once reserves once', async () => {
  const wallet = await openFunded(database, '100.00');
  const request = { wallet, amount: '30.00', idempotencyKey: newKey() };
  const told = await meet(
    race,
    wallet,
    Array.from({ length: 6 }, () => (db) => hold(db, request)),
  );
  expect(tally(told)).toEqual({ done: 6 });
  expect(await lookupWallet(database.db, wallet)).toMatchObject({ held: '30.00' });
});

test('a transfer and a hold that meet over the last money do not both get it', async () => {
  const [wallet, to] = [await openFunded(database, '100.00'), await openFunded(database, '1.00')];
  const told = await meet(race, wallet, [
    (db) => hold(db, { wallet, amount: '70.00', idempotencyKey: newKey() }),
    (db) => transfer(db, sampleTransfer({ from: wallet, to, amount: '70.00' })),
  ]);
  expect(tally(told)).toEqual({ done: 1, insufficient_funds: 1 });
});

test('a capture and a freeze that meet: the hold is paid before the freeze or not at all', async () => {
  for (let round = 0; round < 4; round += 1) {
    const wallet = await openFunded(database, '100.00');
    const { id: holdId } = await hold(database.db, { wallet, amount: '40.00', idempotencyKey: newKey() });
    const [captured, frozen] = await meet(race, wallet, [
      (db) => captureHold(db, { holdId, to: FLOAT, idempotencyKey: newKey() }),
      (db) => freezeWallet(db, { wallet, reason: 'a lost phone' }),
    ]);
    expect(frozen).toBe('done');
    expect(await lookupWallet(database.db, wallet)).toMatchObject(
      captured === 'done'
        ? { balance: '60.00', held: '0.00', status: 'FROZEN' }
        : { balance: '100.00', held: '40.00', status: 'FROZEN' },
    );
  }
});

test('a wallet is not closed over the money that arrives at the same moment', async () => {
  for (let round = 0; round < 4; round += 1) {
    const [from, to] = [await openFunded(database, '100.00'), await openFunded(database, '10.00')];
    await transfer(database.db, sampleTransfer({ from: to, to: from, amount: '10.00' }));
    const told = await meet(race, to, [
      (db) => closeWallet(db, { wallet: to, reason: 'the holder asked' }),
      (db) => transfer(db, sampleTransfer({ from, to })),
    ]);
    const now = await lookupWallet(database.db, to);
    if (told[0] === 'done') {
      expect(told[1]).toBe('wallet_closed');
      expect(now).toMatchObject({ balance: '0.00', status: 'CLOSED' });
    } else {
      expect(told).toEqual(['wallet_not_empty', 'done']);
      expect(now).toMatchObject({ balance: '10.00', status: 'ACTIVE' });
    }
  }
});

test('after all of this the ledger is sound, and nobody waited in a circle', async () => {
  expect(await allFaults(sql)).toEqual([]);
  expect(await valueOf(sql, DEADLOCKS)).toBe(0);
});

const DEADLOCKS = 'SELECT deadlocks::integer FROM pg_stat_database WHERE datname = current_database()';
