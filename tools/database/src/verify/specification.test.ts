import { execute } from '@repo/postgres/database';
import { createTestDatabase } from '@repo/postgres/testing';
import { describe, expect, it } from 'vitest';
import { faultsOf } from '../fixtures/faults.ts';

// Changes by hand, and what must be reported about them.
const DAMAGES = [
  {
    damage: 'a wrong hash function',
    sql: `CREATE OR REPLACE FUNCTION core.verification_hash(p_reference text, p_amount numeric, p_created_at timestamp)
          RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT encode(sha256('x'), 'hex') $$`,
    found:
      'core.verification_hash gives 2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881 for the golden row',
  },
  {
    damage: 'a status that the specification does not know',
    sql: `ALTER TABLE services.sms_logs DROP CONSTRAINT sms_logs_status_check;
          ALTER TABLE services.sms_logs ADD CHECK (status IN ('SENT', 'FAILED', 'PENDING', 'LOST'))`,
    found: 'no CHECK keeps services.sms_logs.status to FAILED, PENDING, SENT',
  },
  {
    damage: 'a dropped index',
    sql: 'DROP INDEX services.idx_mpesa_logs_phone',
    found: 'index idx_mpesa_logs_phone on services.mpesa_logs is missing',
  },
  {
    damage: 'an index on another column',
    sql: `DROP INDEX services.idx_sms_logs_created;
          CREATE INDEX idx_sms_logs_created ON services.sms_logs (status)`,
    found: 'index idx_sms_logs_created is on (status), not on (created_at)',
  },
  {
    damage: 'an index that is not unique any more',
    sql: `DROP INDEX services.idx_mpesa_logs_receipt;
          CREATE INDEX idx_mpesa_logs_receipt ON services.mpesa_logs (mpesa_receipt)`,
    found: 'index idx_mpesa_logs_receipt is not UNIQUE',
  },
  {
    damage: 'a column of another type',
    sql: 'ALTER TABLE services.sms_logs ALTER COLUMN error_message TYPE varchar(500)',
    found: 'column services.sms_logs.error_message is character varying(500), not text',
  },
  {
    damage: 'a longer column',
    sql: 'ALTER TABLE services.sms_logs ALTER COLUMN recipient TYPE varchar(21)',
    found: 'column services.sms_logs.recipient is character varying(21), not character varying(20)',
  },
  {
    damage: 'a dropped column',
    sql: 'ALTER TABLE services.sms_logs DROP COLUMN provider_message_id',
    found: 'column services.sms_logs.provider_message_id is missing',
  },
  {
    damage: 'a hash that every row must have',
    sql: 'ALTER TABLE core.transactions ALTER COLUMN verification_hash SET NOT NULL',
    found: 'column core.transactions.verification_hash is NOT NULL',
  },
  {
    damage: 'a dropped primary key',
    sql: 'ALTER TABLE services.sms_logs DROP CONSTRAINT sms_logs_pkey',
    found: 'id is not the primary key of services.sms_logs',
  },
];

describe('a damaged database', () => {
  it.each(DAMAGES)('is found out: $damage', async ({ sql, found }) => {
    await using database = await createTestDatabase();
    await execute(database.url, sql);
    expect(await faultsOf(database.url)).toContainEqual(expect.stringContaining(found));
  });
});
