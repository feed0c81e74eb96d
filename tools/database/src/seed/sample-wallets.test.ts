import { createDb } from '@repo/db';
import { execute } from '@repo/postgres/database';
import { createTestDatabase } from '@repo/postgres/testing';
import { describe, expect, it } from 'vitest';
import { openSampleWallets, SAMPLE_WALLETS } from './sample-wallets.ts';

describe('the sample wallets', () => {
  it('are opened once, and are there as they are the next time', async () => {
    await using database = await createTestDatabase();
    const db = createDb({ url: database.url, maxConnections: 1 });
    try {
      const first = await openSampleWallets(db);
      expect(first.opened).toBe(SAMPLE_WALLETS.length);
      await execute(
        database.url,
        `SELECT core.set_wallet_status('${SAMPLE_WALLETS[0]?.number}', 'FROZEN', 'a trial')`,
      );
      const second = await openSampleWallets(db);
      expect(second.opened).toBe(0);
      expect(second.wallets.map(({ number }) => number)).toEqual(SAMPLE_WALLETS.map(({ number }) => number));
      expect(second.wallets[0]?.status).toBe('FROZEN');
    } finally {
      await db.close();
    }
  });

  it('have numbers with a check digit, none of them a slip of the finger away from another', async () => {
    await using database = await createTestDatabase();
    const numbers = SAMPLE_WALLETS.map(({ number }) => `('${number}')`).join(', ');
    await execute(database.url, `SELECT core.open_wallet(n, 'Achieng', NULL) FROM (VALUES ${numbers}) v (n)`);
    const wrong = await execute(
      database.url,
      `SELECT n FROM (VALUES ${numbers}) v (n) WHERE NOT core.has_check_digit(n) OR core.nearest_wallets(n) <> ARRAY[n]`,
    );
    expect(wrong).toEqual([]);
  });
});
