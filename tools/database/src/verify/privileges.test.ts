import { execute } from '@repo/postgres/database';
import { createTestDatabase } from '@repo/postgres/testing';
import { describe, expect, it } from 'vitest';
import { faultsOf } from '../fixtures/faults.ts';

// Changes by hand, and what must be reported about them.
const DAMAGES = [
  {
    damage: 'a table that everybody may write',
    sql: 'GRANT INSERT, UPDATE ON core.requests TO PUBLIC',
    found: 'everybody may insert, update table core.requests',
  },
  {
    damage: 'a column that everybody may write',
    sql: 'GRANT UPDATE (status) ON core.wallets TO PUBLIC',
    found: 'everybody may update column status of table core.wallets',
  },
  {
    damage: 'a schema in which everybody may make objects',
    sql: 'GRANT CREATE ON SCHEMA services TO PUBLIC',
    found: 'everybody may make objects in schema services',
  },
  {
    damage: 'tables that everybody may write as soon as they are made',
    sql: 'ALTER DEFAULT PRIVILEGES IN SCHEMA core GRANT INSERT ON TABLES TO PUBLIC',
    found: 'in schema core can be written by everybody',
  },
];

describe('a damaged database', () => {
  it.each(DAMAGES)('is found out: $damage', async ({ sql, found }) => {
    await using database = await createTestDatabase();
    await execute(database.url, sql);
    expect(await faultsOf(database.url)).toContainEqual(expect.stringContaining(found));
  });
});
