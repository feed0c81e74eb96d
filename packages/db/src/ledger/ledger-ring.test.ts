import { expect, test } from 'vitest';
import { runRing } from '../testing/ledger/ring.ts';
import { openRing, ringFaults } from '../testing/ledger/ring-wallets.ts';
import { isOverNodes, times } from '../testing/database/nodes.ts';
import { openTestDb } from '../testing/database/test-db.ts';

test('a hundred wallets in a ring, paid both ways by many processes: no deadlock, no cent lost', async () => {
  await using database = await openTestDb();
  const ring = await openRing(database.url);
  const effort = { processes: isOverNodes ? 6 : 16, transfers: times(60) };
  const { posted, refused, failed } = await runRing(database.urls, ring, effort);
  expect(failed).toEqual({});
  expect(posted + refused).toBe(effort.processes * 4 * effort.transfers);
  expect(await ringFaults(database.url)).toEqual({ faults: [], total: '0.00', deadlocks: 0 });
});
