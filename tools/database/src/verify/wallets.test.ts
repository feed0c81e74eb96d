import { execute } from '@repo/postgres/database';
import { createTestDatabase } from '@repo/postgres/testing';
import { describe, expect, it } from 'vitest';
import { UNGUARDED, faultsOf } from '../fixtures/faults.ts';

// Changes by hand, and what must be reported about them.
const DAMAGES = [
  {
    damage: 'a customer without a floor',
    sql: `${UNGUARDED} INSERT INTO core.wallets (id, holder_name, min_balance) VALUES ('4581809949', 'Amina', NULL)`,
    found: 'wallet 4581809949 has no floor: it can be overdrawn without limit',
  },
  {
    damage: 'a customer with a floor below zero that nobody granted',
    sql: `${UNGUARDED} INSERT INTO core.wallets (id, holder_name, min_balance) VALUES ('4581809949', 'Amina', -1000000)`,
    found: 'wallet 4581809949 may be overdrawn down to -1000000.00, and no record says who granted that',
  },
  {
    damage: 'a frozen float',
    sql: `${UNGUARDED} UPDATE core.wallets SET status = 'FROZEN' WHERE id = 'MPESA-FLOAT'`,
    found: 'system wallet MPESA-FLOAT is FROZEN: nothing can be posted',
  },
  {
    damage: 'a missing suspense wallet',
    sql: `${UNGUARDED} DELETE FROM core.wallets WHERE id = 'SUSPENSE'`,
    found: 'system wallet SUSPENSE is missing: nothing can be posted',
  },
  {
    damage: 'a fee wallet without a floor',
    sql: `${UNGUARDED} UPDATE core.wallets SET min_balance = NULL WHERE id = 'FEES'`,
    found: 'system wallet FEES has the floor none, not 0',
  },
  {
    damage: 'a float that belongs to a customer',
    sql: `${UNGUARDED} UPDATE core.wallets SET kind = 'CUSTOMER', min_balance = -1 WHERE id = 'MPESA-FLOAT'`,
    found: "system wallet MPESA-FLOAT is a customer's",
  },
  {
    damage: 'a stripe of the fees that is missing',
    sql: `${UNGUARDED} DELETE FROM core.wallets WHERE id = 'FEES.7'`,
    found: 'system wallet FEES.7 is missing: nothing can be posted',
  },
  {
    damage: 'a wallet in another lane than its number has',
    sql: `${UNGUARDED} INSERT INTO core.wallets (id, holder_name, lane) VALUES ('4581809949', 'Amina', 4)`,
    found: 'wallet 4581809949 is in lane 4, not 3',
  },
];

describe('a damaged database', () => {
  it.each(DAMAGES)('is found out: $damage', async ({ sql, found }) => {
    await using database = await createTestDatabase();
    await execute(database.url, sql);
    expect(await faultsOf(database.url)).toContainEqual(expect.stringContaining(found));
  });

  it('is found out also when the functions about lanes are gone', async () => {
    await using database = await createTestDatabase();
    await execute(
      database.url,
      `${UNGUARDED} DELETE FROM core.wallets WHERE id = 'FEES.7';
       DROP FUNCTION core.lane_of; DROP FUNCTION core.stripe_of; DROP FUNCTION core.account_of`,
    );
    const faults = await faultsOf(database.url);
    expect(faults).toContainEqual(expect.stringContaining('system wallet FEES.7 is missing'));
    expect(faults).toContainEqual(expect.stringContaining('core.lane_of'));
  });

  it('names the first wallets of a kind, and counts the others', async () => {
    await using database = await createTestDatabase();
    await execute(
      database.url,
      `${UNGUARDED} INSERT INTO core.wallets (id, holder_name, min_balance, lane)
                    SELECT 'W' || i, 'Amina', NULL, core.lane_of('W' || i) FROM generate_series(1, 8) AS i`,
    );
    const faults = await faultsOf(database.url);
    expect(faults).toHaveLength(3);
    expect(faults.at(-1)).toMatch(/^wallet W3 has no floor.*; and 5 more wallets$/);
  });
});
