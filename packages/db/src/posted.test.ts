import { expect, test } from 'vitest';
import { createDb } from './db.ts';
import { captureHold, hold } from './holds.ts';
import { untilWaiting } from './testing/lock-waiters.ts';
import { refusalOf } from './testing/ledger-refusal.ts';
import { newKey } from './testing/ledger-requests.ts';
import { connect, useTestDb } from './testing/test-db.ts';
import { balanceOf, openFunded } from './testing/wallet-fixtures.ts';

const database = useTestDb();

test('work that is done and cannot be read back is never said to be undone', async () => {
  const wallet = await openFunded(database, '100.00');
  const { id: holdId } = await hold(database.db, { wallet, amount: '40.00', idempotencyKey: newKey() });
  const capture = { holdId, to: 'MPESA-FLOAT', idempotencyKey: newKey() };
  // One connection for everybody, which somebody takes for long as soon as the capture has been done.
  const narrow = createDb({ url: database.url, maxConnections: 1, connectTimeoutMs: 1_000 });
  const holder = await connect(database.url);
  await holder.query('SELECT pg_advisory_lock(7)');
  await holder.query('BEGIN');
  await holder.query('SELECT 1 FROM core.wallets WHERE id = $1 FOR UPDATE', [wallet]);
  const answer = refusalOf(captureHold(narrow, capture));
  await untilWaiting(database.url, 1);
  const hog = narrow.run({ name: 'hog', text: `SELECT pg_advisory_lock(7)::text AS done` }, []);
  await holder.query('COMMIT');
  expect(await answer).toBe('outcome_unknown');
  expect(await balanceOf(database.sql, wallet)).toBe('60.00');
  await holder.end();
  await hog;
  expect(await captureHold(narrow, capture)).toMatchObject({ amount: '40.00', replayed: true });
  await narrow.close();
});
