import { expect, test } from 'vitest';
import { hold, releaseHold } from './holds.ts';
import { parseCents } from '../money.ts';
import { setClockBack } from '../testing/database/clock.ts';
import { newKey, sampleTransfer } from '../testing/ledger/requests.ts';
import { throughDoor, useTestDb, valueOf } from '../testing/database/test-db.ts';
import { openCustomer, openFunded } from '../testing/database/wallet-fixtures.ts';
import { transfer } from './transfers.ts';
import { freezeWallet, unfreezeWallet } from '../wallets/wallet-status.ts';
import { balanceAt, walletStatement } from '../wallets/wallet-statement.ts';

const database = useTestDb();
const { sql } = database;

/** A wallet that was last posted to before the clock was set back by an hour, and another one. */
async function openAhead(): Promise<{ wallet: string; other: string }> {
  const [wallet, other] = [await openFunded(database, '100.00'), await openCustomer(database.db)];
  await transfer(database.db, sampleTransfer({ from: wallet, to: other, amount: '10.00' }));
  await setClockBack(sql, wallet);
  return { wallet, other };
}

/** How many postings of the ledger lie before their predecessor in a wallet, by time. */
async function outOfOrder(): Promise<number> {
  return Number(
    await valueOf(
      sql,
      `SELECT count(*) FROM (
         SELECT l.at < lag(l.at) OVER (PARTITION BY l.wallet ORDER BY l.version) AS is_back
           FROM (SELECT debit_wallet_id AS wallet, debit_version AS version, created_at AS at FROM core.transactions
                 UNION ALL
                 SELECT credit_wallet_id, credit_version, created_at FROM core.transactions) l
       ) o WHERE o.is_back`,
    ),
  );
}

test('a posting is never earlier than the one before it in its wallet, whatever the clock says', async () => {
  const { wallet, other } = await openAhead();
  await transfer(database.db, sampleTransfer({ from: wallet, to: other, amount: '20.00' }));
  await transfer(database.db, sampleTransfer({ from: other, to: wallet, amount: '5.00' }));
  expect(await outOfOrder()).toBe(0);
});

test('after the clock was set back, every period has an opening, lines and a closing that agree', async () => {
  const { wallet, other } = await openAhead();
  for (const amount of ['20.00', '30.00']) {
    await transfer(database.db, sampleTransfer({ from: wallet, to: other, amount }));
  }
  const { lines } = await walletStatement(database.db, { wallet });
  const moments = lines.flatMap(({ createdAt }) => [createdAt, new Date(createdAt.getTime() + 1)]);
  for (const moment of moments) {
    const until = lines.filter(({ createdAt }) => createdAt < moment);
    const before = await walletStatement(database.db, { wallet, to: moment });
    const since = await walletStatement(database.db, { wallet, from: moment });
    expect(before.lines.map(({ reference }) => reference)).toEqual(until.map(({ reference }) => reference));
    expect(before.closingBalance).toBe(until.at(-1)?.balanceAfter ?? '0.00');
    expect(since.openingBalance).toBe(before.closingBalance);
    expect(since.lines.length).toBe(lines.length - until.length);
    const at = lines.findLast(({ createdAt }) => createdAt <= moment);
    expect(await balanceAt(database.db, { wallet, at: moment })).toBe(at?.balanceAfter ?? '0.00');
  }
  expect(parseCents(lines.at(-1)?.balanceAfter ?? '')).toBe(4_000n);
});

test('neither a hold, its release nor a freeze lets a wallet forget when it was last posted to', async () => {
  const { wallet } = await openAhead();
  const other = await openCustomer(database.db);
  const placed = await hold(database.db, { wallet, amount: '1.00', idempotencyKey: newKey() });
  await releaseHold(database.db, { holdId: placed.id });
  await freezeWallet(database.db, { wallet, reason: 'the test' });
  await unfreezeWallet(database.db, { wallet, reason: 'the test' });
  await transfer(database.db, sampleTransfer({ from: wallet, to: other, amount: '20.00' }));
  expect(await outOfOrder()).toBe(0);
});

test('a moment without end, which no clock ever said, is not followed', async () => {
  const [wallet, other] = [await openFunded(database, '100.00'), await openCustomer(database.db)];
  await throughDoor(sql, `UPDATE core.wallets SET updated_at = 'infinity' WHERE id = $1`, [wallet]);
  const { createdAt } = await transfer(database.db, sampleTransfer({ from: wallet, to: other }));
  expect(createdAt.getTime()).toBeLessThan(Date.now() + 3_600_000);
});
