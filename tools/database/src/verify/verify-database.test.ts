import { execute } from '@repo/postgres/database';
import { createTestDatabase } from '@repo/postgres/testing';
import { describe, expect, it } from 'vitest';
import { UNGUARDED, faultsOf, findingsOf, forDatabase } from '../fixtures/faults.ts';
import { repository } from '../fixtures/temporary-project.ts';
import { renderReport } from './report.ts';
import { verifyDatabase } from './verify-database.ts';

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
      `${UNGUARDED} INSERT INTO core.wallets (id, holder_name, lane) VALUES ('4581809949', 'Amina', 3);
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

describe('a damaged database', () => {
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
});
