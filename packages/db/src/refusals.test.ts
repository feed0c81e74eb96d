import { expect, test } from 'vitest';
import { createDb } from './connection/db.ts';
import { refusal } from './refusals.ts';
import { untilWaiting } from './testing/database/lock-waiters.ts';
import { refusalOf } from './testing/ledger/refusal.ts';
import { connect, useTestDb } from './testing/database/test-db.ts';
import { openFunded } from './testing/database/wallet-fixtures.ts';
import { freezeWallet } from './wallets/wallet-status.ts';

const database = useTestDb();

test('an amount that was read and is refused by the door all the same is one that no column holds', () => {
  expect(refusal('invalid_amount')).toMatchObject({ code: 'invalid_amount', fault: 'too_large' });
});

test('work that is done and cannot be read back is never said to be undone', async () => {
  const wallet = await openFunded(database, '100.00');
  const change = { wallet, reason: 'a lost phone' };
  // One connection for all, which another statement takes for long as soon as the wallet has been frozen.
  const narrow = createDb({ url: database.url, maxConnections: 1, connectTimeoutMs: 5_000 });
  const holder = await connect(database.url);
  await holder.query('SELECT pg_advisory_lock(7)');
  await holder.query('BEGIN');
  await holder.query('SELECT 1 FROM core.wallets WHERE id = $1 FOR UPDATE', [wallet]);
  const answer = refusalOf(freezeWallet(narrow, change));
  await untilWaiting(database.url, 1);
  const hog = narrow.run({ name: 'hog', text: `SELECT pg_advisory_lock(7)::text AS done` }, []);
  await holder.query('COMMIT');
  expect(await answer).toBe('outcome_unknown');
  await holder.end();
  await hog;
  expect(await freezeWallet(narrow, change)).toMatchObject({ status: 'FROZEN' });
  await narrow.close();
});
