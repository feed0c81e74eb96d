import { expect, test } from 'vitest';
import { runRing } from '../testing/ledger/ring.ts';
import { openRing, ringFaults } from '../testing/ledger/ring-wallets.ts';
import { openTestDb } from '../testing/database/test-db.ts';

test('a hundred wallets in a ring, paid both ways by sixteen processes: no deadlock, no cent lost', async () => {
  await using database = await openTestDb();
  const ring = await openRing(database.url);
  const { posted, refused, failed } = await runRing(database.url, ring, { processes: 16, transfers: 60 });
  expect(failed).toEqual({});
  expect(posted + refused).toBe(16 * 4 * 60);
  expect(await ringFaults(database.url)).toEqual({ faults: [], total: '0.00', deadlocks: 0 });
});
