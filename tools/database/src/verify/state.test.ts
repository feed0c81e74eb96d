import { execute } from '@repo/postgres/database';
import { createTestDatabase } from '@repo/postgres/testing';
import { describe, expect, it } from 'vitest';
import { faultsOf, findingsOf } from '../fixtures/faults.ts';

// Changes by hand, and what must be reported about them.
const DAMAGES = [
  {
    damage: 'a disabled trigger',
    sql: 'ALTER TABLE core.transactions DISABLE TRIGGER transactions_append_only',
    found: 'trigger transactions_append_only on core.transactions is DISABLED',
  },
  {
    damage: 'a trigger that fires only on a replica',
    sql: 'ALTER TABLE core.transactions ENABLE REPLICA TRIGGER transactions_append_only',
    found: 'trigger transactions_append_only on core.transactions is DISABLED',
  },
  {
    damage: 'a foreign key whose triggers are disabled',
    sql: 'ALTER TABLE core.transactions DISABLE TRIGGER ALL',
    found: 'foreign key transactions_debit_wallet_id_fkey on core.transactions is not checked',
  },
  {
    damage: 'a CHECK that was never validated',
    sql: `ALTER TABLE core.wallets DROP CONSTRAINT wallets_held_check;
          ALTER TABLE core.wallets ADD CONSTRAINT wallets_held_check CHECK (held >= 0) NOT VALID`,
    found: 'constraint wallets_held_check on core.wallets is NOT VALID',
  },
];

describe('a damaged database', () => {
  it.each(DAMAGES)('is found out: $damage', async ({ sql, found }) => {
    await using database = await createTestDatabase();
    await execute(database.url, sql);
    expect(await faultsOf(database.url)).toContainEqual(expect.stringContaining(found));
  });

  it('is found out: an INVALID index', async () => {
    await using database = await createTestDatabase();
    await execute(
      database.url,
      `SELECT core.open_wallet('1', 'Same', NULL), core.open_wallet('2', 'Same', NULL)`,
    );
    const failing = execute(
      database.url,
      'CREATE UNIQUE INDEX CONCURRENTLY half ON core.wallets (holder_name)',
    );
    await expect(failing).rejects.toMatchObject({ code: '23505' });
    const findings = await findingsOf(database.url);
    expect(findings).toContainEqual(
      expect.objectContaining({
        what: 'index half on core.wallets is INVALID',
        remedy: 'REINDEX INDEX CONCURRENTLY core.half;',
      }),
    );
  });
});
