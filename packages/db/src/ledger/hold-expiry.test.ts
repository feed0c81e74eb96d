import { expect, test } from 'vitest';
import { expireHolds } from './hold-expiry.ts';
import { findHold } from './holds.ts';
import { openHeld } from '../testing/database/held-wallet.ts';
import { FAR_AHEAD, endEarly } from '../testing/ledger/late-holds.ts';
import { openTestDb } from '../testing/database/test-db.ts';
import type { TestDb } from '../testing/database/test-db.ts';
import { setGuarded } from '../testing/database/wallet-fixtures.ts';

/** A hold whose time is over. */
async function openOver(database: TestDb) {
  const { wallet, placed } = await openHeld(database, { expiresAt: FAR_AHEAD });
  await endEarly(database.db, placed.id);
  return { wallet, placed };
}

/** A hold whose time is over, of a wallet that has less reserved than the hold says. */
async function openPoisonous(database: TestDb) {
  const over = await openOver(database);
  await setGuarded(database.sql, over.wallet, { held: '39.99' });
  return over;
}

const statusOf = async ({ db }: TestDb, { id }: { readonly id: string }) =>
  (await findHold(db, { id }))?.status;

test('a hold that cannot be given back is told, stays as it is and stops no other', async () => {
  await using database = await openTestDb();
  const before = await openOver(database);
  const poisonous = await openPoisonous(database);
  const after = await openOver(database);
  const failed = [{ holdId: poisonous.placed.id, failure: '23514 wallets_held_check' }];
  expect(await expireHolds(database.db)).toEqual({ expired: 2, failed });
  expect(await statusOf(database, before.placed)).toBe('EXPIRED');
  expect(await statusOf(database, after.placed)).toBe('EXPIRED');
  expect(await statusOf(database, poisonous.placed)).toBe('ACTIVE');
  expect(await expireHolds(database.db)).toEqual({ expired: 0, failed });
});

test('a hold expires once what was wrong with its wallet is put right', async () => {
  await using database = await openTestDb();
  const { wallet, placed } = await openPoisonous(database);
  await expireHolds(database.db);
  await setGuarded(database.sql, wallet, { held: '40.00' });
  expect(await expireHolds(database.db)).toEqual({ expired: 1, failed: [] });
  expect(await statusOf(database, placed)).toBe('EXPIRED');
});

test('however many cannot be given back, the one behind them is', async () => {
  await using database = await openTestDb();
  const { wallet, placed } = await openPoisonous(database);
  // All of one moment and one wallet: only their ids tell them apart.
  await database.sql('SET session_replication_role = replica');
  await database.sql(
    `INSERT INTO core.holds (wallet_id, amount, expires_at)
     SELECT $1, 40, h.expires_at FROM core.holds h, generate_series(1, 250) WHERE h.id = $2`,
    [wallet, placed.id],
  );
  await database.sql('RESET session_replication_role');
  const last = await openOver(database);
  await database.sql('SET session_replication_role = replica');
  await database.sql(`UPDATE core.holds SET expires_at = expires_at + interval '1 hour' WHERE id = $1`, [
    last.placed.id,
  ]);
  await database.sql('RESET session_replication_role');
  const { expired, failed } = await expireHolds(database.db);
  expect(expired).toBe(1);
  expect(new Set(failed.map(({ holdId }) => holdId)).size).toBe(251);
  expect(await statusOf(database, last.placed)).toBe('EXPIRED');
});

test('what failed leaves the door closed', async () => {
  await using database = await openTestDb();
  const { wallet } = await openPoisonous(database);
  await database.sql('BEGIN');
  await database.sql('SELECT * FROM core.expire_holds(100, NULL, NULL)');
  const around = database.sql('UPDATE core.wallets SET held = held + 1 WHERE id = $1', [wallet]);
  await expect(around).rejects.toMatchObject({ code: 'DF003' });
  await database.sql('ROLLBACK');
});
