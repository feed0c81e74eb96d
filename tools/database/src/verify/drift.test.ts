import { execute } from '@repo/postgres/database';
import { createTestDatabase } from '@repo/postgres/testing';
import { describe, expect, it } from 'vitest';
import { faultsOf, findingsOf } from '../fixtures/faults.ts';

// Changes by hand, and what must be reported about them.
const DAMAGES = [
  {
    damage: 'a changed function',
    sql: `CREATE OR REPLACE FUNCTION core.new_id() RETURNS uuid LANGUAGE sql VOLATILE AS 'SELECT gen_random_uuid()'`,
    found: 'function core.new_id differs',
  },
  {
    damage: 'a function with another setting',
    sql: 'ALTER FUNCTION core.verification_hash SECURITY DEFINER',
    found: 'function core.verification_hash differs',
  },
  {
    damage: 'an overloaded function',
    sql: `CREATE FUNCTION core.new_id(integer) RETURNS uuid LANGUAGE sql AS 'SELECT gen_random_uuid()'`,
    found: 'function core.new_id(integer) is there and should not be',
  },
  {
    damage: 'a dropped hash function',
    sql: 'DROP FUNCTION core.verification_hash',
    found: 'function core.verification_hash is missing',
  },
  {
    damage: 'a dropped trigger',
    sql: 'DROP TRIGGER wallets_through_the_door ON core.wallets',
    found: 'trigger wallets_through_the_door on core.wallets is missing',
  },
  {
    damage: 'a dropped CHECK',
    sql: 'ALTER TABLE core.wallets DROP CONSTRAINT wallets_funds_check',
    found: 'constraint wallets_funds_check on core.wallets is missing',
  },
  {
    damage: 'a weaker CHECK of the same name',
    sql: `ALTER TABLE core.wallets DROP CONSTRAINT wallets_held_check;
          ALTER TABLE core.wallets ADD CONSTRAINT wallets_held_check CHECK (held >= -1)`,
    found: 'constraint wallets_held_check on core.wallets differs',
  },
  {
    damage: 'a dropped foreign key',
    sql: 'ALTER TABLE core.transactions DROP CONSTRAINT transactions_credit_wallet_id_fkey',
    found: 'foreign key transactions_credit_wallet_id_fkey on core.transactions is missing',
  },
  {
    damage: 'an index that serves no prefix search any more',
    sql: 'DROP INDEX core.idx_wallets_number; CREATE INDEX idx_wallets_number ON core.wallets (id)',
    found: 'index idx_wallets_number on core.wallets differs',
  },
  {
    damage: 'a changed default',
    sql: `ALTER TABLE core.wallets ALTER COLUMN status SET DEFAULT 'FROZEN'`,
    found: 'table core.wallets differs',
  },
  {
    damage: 'a changed fillfactor',
    sql: 'ALTER TABLE core.wallets RESET (fillfactor)',
    found: 'table core.wallets differs',
  },
  {
    damage: 'a table that is lost in a crash',
    sql: 'ALTER TABLE services.sms_logs SET UNLOGGED',
    found: 'table services.sms_logs differs',
  },
  {
    damage: 'an extra table',
    sql: 'CREATE TABLE core.mine ()',
    found: 'table core.mine is there and should not be',
  },
  {
    damage: 'an extra rule',
    sql: 'CREATE RULE gone AS ON INSERT TO services.sms_logs DO INSTEAD NOTHING',
    found: 'rule gone on services.sms_logs is there and should not be',
  },
  {
    damage: 'a trigger that fires always',
    sql: 'ALTER TABLE core.transactions ENABLE ALWAYS TRIGGER transactions_append_only',
    found: 'trigger transactions_append_only on core.transactions differs',
  },
  {
    damage: 'a policy that hides rows',
    sql: `ALTER TABLE core.wallets ENABLE ROW LEVEL SECURITY; CREATE POLICY hides ON core.wallets USING (status = 'ACTIVE')`,
    found: 'policy hides on core.wallets is there and should not be',
  },
  {
    damage: 'a foreign table',
    sql: `CREATE FOREIGN DATA WRAPPER other; CREATE SERVER other FOREIGN DATA WRAPPER other;
          CREATE FOREIGN TABLE core.remote (id int) SERVER other`,
    found: 'foreign table core.remote is there and should not be',
  },
];

describe('a damaged database', () => {
  it.each(DAMAGES)('is found out: $damage', async ({ sql, found }) => {
    await using database = await createTestDatabase();
    await execute(database.url, sql);
    expect(await faultsOf(database.url)).toContainEqual(expect.stringContaining(found));
  });

  it('is reported with the remedy: the named source file makes a function right again', async () => {
    await using database = await createTestDatabase();
    await execute(database.url, 'ALTER FUNCTION core.has_check_digit STABLE');
    const [finding] = await findingsOf(database.url);
    const file = /Run (\S+)\.sql in prisma\/functions/.exec(finding?.remedy ?? '')?.[1];
    expect(file).toBe('core.has_check_digit');
  });

  it('is reported once an object, however much is wrong with it', async () => {
    await using database = await createTestDatabase();
    await execute(database.url, 'ALTER TABLE core.wallets DISABLE TRIGGER wallets_never_deleted');
    expect(await faultsOf(database.url)).toHaveLength(1);
  });
});
