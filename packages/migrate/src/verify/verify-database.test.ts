import { execute } from '@repo/postgres/database';
import { createTestDatabase } from '@repo/postgres/testing';
import { describe, expect, it } from 'vitest';
import { deploy } from '../deployment.ts';
import { TemporaryProject, repository } from '../fixtures/temporary-project.ts';
import { readMigrations } from '../migrations.ts';
import type { Project } from '../project.ts';
import type { Finding } from './finding.ts';
import { renderReport } from './report.ts';
import { verifyDatabase } from './verify-database.ts';

async function faultsOf(url: string, project: Project = repository): Promise<string[]> {
  return (await findingsOf(url, project))
    .filter(({ severity }) => severity === 'wrong')
    .map(({ what }) => what);
}

async function findingsOf(url: string, project: Project = repository): Promise<Finding[]> {
  const { checks } = await verifyDatabase({ url, project });
  return checks.flatMap(({ findings }) => findings);
}

describe('a healthy database', () => {
  it('has nothing wrong with it', async () => {
    await using database = await createTestDatabase();
    const verification = await verifyDatabase({ url: database.url, project: repository });
    expect(verification.checks.flatMap(({ findings }) => findings.map(({ what }) => what))).toEqual([]);
    expect(verification.checks.map(({ name }) => name)).toEqual([
      'server',
      'migrations',
      'state',
      'specification',
      'drift',
    ]);
    expect(renderReport(verification).at(-1)).toBe('Nothing is wrong.');
  });

  it('may have another time zone, which is noticed and is no fault', async () => {
    await using database = await createTestDatabase();
    await execute(
      database.url,
      `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET timezone TO ''Africa/Nairobi''', current_database()); END $$`,
    );
    expect(await findingsOf(database.url)).toMatchObject([
      { severity: 'notice', what: `the session's time zone is Africa/Nairobi, not UTC` },
    ]);
  });

  it('may have extensions, and objects in schemas of its operator', async () => {
    await using database = await createTestDatabase();
    await execute(
      database.url,
      'CREATE EXTENSION hstore; CREATE SCHEMA jobs; CREATE TABLE jobs.queue (id int)',
    );
    expect(await findingsOf(database.url)).toEqual([]);
  });
});

// What somebody does by hand, and what must be said of it.
const damages = [
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
    damage: 'a wrong hash function',
    sql: `CREATE OR REPLACE FUNCTION core.verification_hash(p_reference text, p_amount numeric, p_created_at timestamp)
          RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT encode(sha256('x'), 'hex') $$`,
    found:
      'core.verification_hash gives 2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881 for the golden row',
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
    damage: 'a CHECK that was never validated',
    sql: `ALTER TABLE core.wallets DROP CONSTRAINT wallets_held_check;
          ALTER TABLE core.wallets ADD CONSTRAINT wallets_held_check CHECK (held >= 0) NOT VALID`,
    found: 'constraint wallets_held_check on core.wallets is NOT VALID',
  },
  {
    damage: 'a status that the specification does not know',
    sql: `ALTER TABLE services.sms_logs DROP CONSTRAINT sms_logs_status_check;
          ALTER TABLE services.sms_logs ADD CHECK (status IN ('SENT', 'FAILED', 'PENDING', 'LOST'))`,
    found: 'no CHECK keeps services.sms_logs.status to FAILED, PENDING, SENT',
  },
  {
    damage: 'a dropped foreign key',
    sql: 'ALTER TABLE core.transactions DROP CONSTRAINT transactions_credit_wallet_id_fkey',
    found: 'foreign key transactions_credit_wallet_id_fkey on core.transactions is missing',
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
    damage: 'an index that serves no prefix search any more',
    sql: 'DROP INDEX core.idx_wallets_number; CREATE INDEX idx_wallets_number ON core.wallets (id)',
    found: 'index idx_wallets_number on core.wallets differs',
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
    damage: 'triggers switched off for the whole database',
    sql: `DO $$ BEGIN
            EXECUTE format('ALTER DATABASE %I SET session_replication_role TO replica', current_database());
          END $$`,
    found: 'session_replication_role is replica',
  },
];

describe('a damaged database', () => {
  it.each(damages)('is found out: $damage', async ({ sql, found }) => {
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

  it('is told what to do: the named source file makes a function right again', async () => {
    await using database = await createTestDatabase();
    await execute(database.url, 'ALTER FUNCTION core.has_check_digit STABLE');
    const [finding] = await findingsOf(database.url);
    const file = /prisma\/functions\/(\S+)\.sql/.exec(finding?.remedy ?? '')?.[1];
    expect(file).toBe('core.has_check_digit');
  });

  it('is reported once an object, however much is wrong with it', async () => {
    await using database = await createTestDatabase();
    await execute(database.url, 'ALTER TABLE core.wallets DISABLE TRIGGER wallets_never_deleted');
    expect(await faultsOf(database.url)).toHaveLength(1);
  });
});

describe('the migrations of a database', () => {
  const older = '20230101000000_older';

  it('are found out: one was edited after it had been applied', async () => {
    await using database = await createTestDatabase();
    await using temporary = await TemporaryProject.create();
    const [, second] = await readMigrations(repository.migrations);
    const { name = '', sql = '' } = second ?? {};
    await temporary.write(`migrations/${name}/migration.sql`, `${sql}-- edited\n`);
    expect(await faultsOf(database.url, temporary.project)).toEqual([
      `migration ${name} was edited after it had been applied`,
    ]);
  });

  it('are the same with the line ends of another system', async () => {
    await using database = await createTestDatabase();
    await using temporary = await TemporaryProject.create();
    for (const { name, sql } of await readMigrations(repository.migrations)) {
      await temporary.write(`migrations/${name}/migration.sql`, sql.replaceAll('\n', '\r\n'));
    }
    expect(await faultsOf(database.url, temporary.project)).toEqual([]);
  });

  it('are found out: one is missing from disk', async () => {
    await using database = await createTestDatabase();
    await using temporary = await TemporaryProject.create();
    const [{ name } = { name: '' }] = await readMigrations(repository.migrations);
    await temporary.remove(`migrations/${name}`);
    expect(await faultsOf(database.url, temporary.project)).toEqual([
      `migration ${name} is applied, and missing from disk`,
    ]);
  });

  it('are found out: one is pending', async () => {
    await using database = await createTestDatabase();
    await using temporary = await TemporaryProject.create();
    await temporary.writeMigration('20990101000000_newer', { sql: 'SELECT 1;' });
    expect(await faultsOf(database.url, temporary.project)).toEqual([
      'migration 20990101000000_newer is pending',
    ]);
  });

  it('are found out: one is out of order, before and after it is deployed', async () => {
    await using database = await createTestDatabase();
    await using temporary = await TemporaryProject.create();
    const { project } = temporary;
    await temporary.writeMigration(older, { sql: 'SELECT 1;' });
    expect(await faultsOf(database.url, project)).toEqual([
      expect.stringContaining(`migration ${older} is pending out of order`),
    ]);
    const { exitCode, output } = await deploy({ project, url: database.url, output: 'keep' });
    expect(exitCode, output).toBe(0);
    expect(await faultsOf(database.url, project)).toEqual([
      expect.stringContaining(`migration ${older} was applied out of order`),
    ]);
  });

  it('are found out: one has failed', async () => {
    await using database = await createTestDatabase();
    await using temporary = await TemporaryProject.create();
    const { project } = temporary;
    await temporary.writeMigration('20990101000000_broken', { sql: 'SELECT 1 / 0;' });
    const { exitCode, output } = await deploy({ project, url: database.url, output: 'keep' });
    expect(exitCode, output).not.toBe(0);
    expect(await faultsOf(database.url, project)).toEqual([
      expect.stringMatching(/^migration 20990101000000_broken, begun at .*, failed$/),
    ]);
  });

  it('are all pending where nothing was ever deployed, and no more is said', async () => {
    await using database = await createTestDatabase({ empty: true });
    const names = (await readMigrations(repository.migrations)).map(({ name }) => name);
    expect(await faultsOf(database.url)).toEqual(names.map((name) => `migration ${name} is pending`));
  });
});
