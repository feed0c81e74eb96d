import { randomBytes } from 'node:crypto';
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
      'settings',
      'migrations',
      'state',
      'specification',
      'drift',
      'surroundings',
      'privileges',
      'wallets',
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

  it('may have settings of its operator', async () => {
    await using database = await createTestDatabase();
    await execute(
      database.url,
      `${forDatabase('statement_timeout', "'30s'")}; ${forDatabase('search_path', 'core, public')};
       ${forDatabase('synchronous_commit', 'remote_apply')}`,
    );
    expect(await findingsOf(database.url)).toEqual([]);
  });

  it('may have a granted credit line, which is noticed and is no fault', async () => {
    await using database = await createTestDatabase();
    await execute(
      database.url,
      `${UNGUARDED} INSERT INTO core.wallets (id, holder_name) VALUES ('4581809949', 'Amina');
       RESET session_replication_role; SELECT core.set_wallet_floor('4581809949', -500, 'agreed by phone', 'manager')`,
    );
    expect(await findingsOf(database.url)).toMatchObject([
      { severity: 'notice', what: 'wallet 4581809949 may be overdrawn down to -500.00' },
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

/** A setting for all sessions of the test's database. */
function forDatabase(name: string, value: string): string {
  const statement = `ALTER DATABASE %I SET ${name} = ${value}`.replaceAll("'", "''");
  return `DO $$ BEGIN EXECUTE format('${statement}', current_database()); END $$`;
}

/** Past all guards, as a superuser. */
const UNGUARDED = 'SET session_replication_role = replica;';

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
  {
    damage: 'rows that come from a child table in another schema',
    sql: 'CREATE SCHEMA elsewhere; CREATE TABLE elsewhere.more () INHERITS (core.wallets)',
    found: 'table elsewhere.more inherits from core.wallets: its rows count in every query of it',
  },
  {
    damage: 'an event trigger',
    sql: `CREATE FUNCTION public.watch() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
          CREATE EVENT TRIGGER watcher ON ddl_command_end EXECUTE FUNCTION public.watch()`,
    found: 'event trigger watcher runs',
  },
  {
    damage: 'a function elsewhere that opens the door',
    sql: `CREATE SCHEMA elsewhere;
          CREATE FUNCTION elsewhere.mint() RETURNS void LANGUAGE plpgsql
              AS $$ BEGIN PERFORM set_config('daftari.door', 'open', true); END $$`,
    found: 'function elsewhere.mint() names a setting that opens the guards',
  },
  {
    damage: 'a function elsewhere with the door as a setting of its own',
    sql: `CREATE FUNCTION public.mint() RETURNS void LANGUAGE sql SET daftari.door = 'open' AS ''`,
    found: 'function mint() names a setting that opens the guards',
  },
  {
    damage: "a function in the place of one of PostgreSQL's own",
    sql: `CREATE FUNCTION public.round(numeric) RETURNS numeric LANGUAGE sql AS 'SELECT $1 + 1'`,
    found: "has the name of one of PostgreSQL's own",
  },
  {
    damage: "an operator in the place of one of PostgreSQL's own",
    sql: `CREATE FUNCTION public.never(varchar, varchar) RETURNS boolean LANGUAGE sql AS 'SELECT false';
          CREATE OPERATOR public.= (LEFTARG = varchar, RIGHTARG = varchar, FUNCTION = public.never)`,
    found: "is one of PostgreSQL's own for other types",
  },
  {
    damage: 'a cast between types of everybody',
    sql: 'CREATE CAST (text AS integer) WITH INOUT AS IMPLICIT',
    found: 'cast from text to integer was made by hand',
  },
  {
    damage: 'a trigger with a function from elsewhere',
    sql: `CREATE FUNCTION public.meddle() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
          CREATE TRIGGER meddles BEFORE INSERT ON core.wallets FOR EACH ROW EXECUTE FUNCTION public.meddle()`,
    found: 'trigger meddles on core.wallets belongs to no migration',
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

  it('names the first wallets of a kind, and counts the others', async () => {
    await using database = await createTestDatabase();
    await execute(
      database.url,
      `${UNGUARDED} INSERT INTO core.wallets (id, holder_name, min_balance)
                    SELECT 'W' || i, 'Amina', NULL FROM generate_series(1, 8) AS i`,
    );
    const faults = await faultsOf(database.url);
    expect(faults).toHaveLength(3);
    expect(faults.at(-1)).toMatch(/^wallet W3 has no floor.*; and 5 more wallets$/);
  });

  it('has what to do about every fault, and the statements that are named undo it', async () => {
    await using database = await createTestDatabase();
    await execute(
      database.url,
      `${forDatabase('daftari.door', "'open'")}; CREATE SCHEMA elsewhere;
       CREATE TABLE elsewhere.more () INHERITS (core.wallets); GRANT INSERT ON core.requests TO PUBLIC;
       CREATE CAST (text AS integer) WITH INOUT AS IMPLICIT;
       CREATE FUNCTION public.round(numeric) RETURNS numeric LANGUAGE sql AS 'SELECT $1'`,
    );
    const findings = await findingsOf(database.url);
    expect(findings).toHaveLength(5);
    for (const { remedy } of findings) await execute(database.url, remedy.split(';')[0] ?? '');
    expect(await faultsOf(database.url)).toEqual([]);
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

  it('are all pending where nothing was ever deployed, and nothing else is reported', async () => {
    await using database = await createTestDatabase({ empty: true });
    const names = (await readMigrations(repository.migrations)).map(({ name }) => name);
    expect(await faultsOf(database.url)).toEqual(names.map((name) => `migration ${name} is pending`));
  });
});
