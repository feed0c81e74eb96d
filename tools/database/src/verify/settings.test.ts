import { randomBytes } from 'node:crypto';
import { execute } from '@repo/postgres/database';
import { createTestDatabase } from '@repo/postgres/testing';
import { describe, expect, it } from 'vitest';
import { faultsOf, findingsOf, forDatabase } from '../fixtures/faults.ts';

// Changes by hand, and what must be reported about them.
const DAMAGES = [
  {
    damage: 'triggers switched off for the whole database',
    sql: `DO $$ BEGIN
            EXECUTE format('ALTER DATABASE %I SET session_replication_role TO replica', current_database());
          END $$`,
    found: 'session_replication_role is replica for database',
  },
  {
    damage: 'a door that is open in every session',
    sql: forDatabase('daftari.door', "'open'"),
    found: 'daftari.door is set for database',
  },
  {
    damage: 'another setting of ours, in another spelling',
    sql: forDatabase('"Daftari.Door"', "'backfill'"),
    found: 'is set for database',
  },
  {
    damage: 'commits that are not waited for',
    sql: forDatabase('synchronous_commit', 'off'),
    found: 'synchronous_commit is off for database',
  },
  {
    damage: 'commits that do not wait for the disk of the standby',
    sql: forDatabase('synchronous_commit', 'remote_write'),
    found: 'synchronous_commit is remote_write for database',
  },
  {
    damage: 'another isolation of transactions',
    sql: forDatabase('default_transaction_isolation', "'serializable'"),
    found: 'default_transaction_isolation is serializable for database',
  },
  {
    damage: "a search path with other objects before PostgreSQL's own",
    sql: forDatabase('search_path', 'public, pg_catalog'),
    found: 'search_path is public, pg_catalog for database',
  },
  {
    damage: 'arrays in which NULL is a word',
    sql: forDatabase('array_nulls', 'off'),
    found: 'array_nulls is off for database',
  },
  {
    damage: 'times in words of another kind',
    sql: forDatabase('DateStyle', "'SQL, DMY'"),
    found: 'DateStyle is SQL, DMY for database',
  },
];

describe('a damaged database', () => {
  it.each(DAMAGES)('is found out: $damage', async ({ sql, found }) => {
    await using database = await createTestDatabase();
    await execute(database.url, sql);
    expect(await faultsOf(database.url)).toContainEqual(expect.stringContaining(found));
  });

  it('is found out: a door that is open for one role', async () => {
    await using database = await createTestDatabase();
    const name = new URL(database.url).pathname.slice(1);
    const role = `clerk_${randomBytes(4).toString('hex')}`;
    await execute(
      database.url,
      // Without the database it would be found in those of all other tests.
      `CREATE ROLE ${role}; ALTER ROLE ${role} IN DATABASE ${name} SET daftari.door = 'open'`,
    );
    try {
      expect(await findingsOf(database.url)).toMatchObject([
        {
          what: expect.stringContaining(`for role ${role} in database ${name}`),
          remedy: `ALTER ROLE ${role} IN DATABASE ${name} RESET daftari.door;`,
        },
      ]);
    } finally {
      await execute(database.url, `DROP ROLE ${role}`);
    }
  });
});
