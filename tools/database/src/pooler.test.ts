import { createDb, openWallet, ping } from '@repo/db';
import { execute } from '@repo/postgres/database';
import { hasPgBouncer, startPgBouncer } from '@repo/postgres/pgbouncer';
import type { PgBouncerOptions } from '@repo/postgres/pgbouncer';
import { createTestDatabase } from '@repo/postgres/testing';
import { describe, expect, it } from 'vitest';
import { appliedTo, numberOf } from './fixtures/databases.ts';
import { runCommandLine } from './fixtures/run-command.ts';
import { repository } from './fixtures/temporary-project.ts';
import { MIGRATION_LOCK } from './migration-lock.ts';
import { readMigrations } from './migrations.ts';
import { runPrisma } from './prisma-cli.ts';

/** Sessions of this database that have the migration lock. */
const LOCKS = `
  SELECT count(*) AS n FROM pg_locks
   WHERE locktype = 'advisory' AND objid = ${MIGRATION_LOCK}
     AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`;

const POOLERS: readonly PgBouncerOptions[] = [
  { mode: 'transaction', size: 1 },
  { mode: 'transaction', size: 5 },
  { mode: 'transaction', size: 5, settings: ['server_round_robin = 1'] },
  { mode: 'statement', size: 5 },
];

describe.skipIf(!hasPgBouncer)('behind PgBouncer', () => {
  it.each(POOLERS)('a deploy is refused, and leaves no lock behind: %j', async (options) => {
    await using database = await createTestDatabase({ empty: true });
    await using pooler = await startPgBouncer(database.url, options);
    const { exitCode, stdout, stderr } = await runCommandLine('deploy', pooler.url);
    expect(exitCode).toBe(1);
    expect(stdout + stderr).toContain('connection pooler that hands out connections by the transaction');
    expect(await numberOf(database.url, LOCKS)).toBe(0);
    expect(await appliedTo(database.url)).toEqual([]);
  });

  it('prisma migrate deploy by itself is refused as well', async () => {
    await using database = await createTestDatabase({ empty: true });
    await using pooler = await startPgBouncer(database.url, { mode: 'transaction', size: 3 });
    const run = await runPrisma(repository, ['migrate', 'deploy'], { url: pooler.url, output: 'keep' });
    expect(run.exitCode).toBe(1);
    expect(run.output).toContain('Migrate with a URL that leads to the server itself');
    expect(await numberOf(database.url, LOCKS)).toBe(0);
  });

  it('a rollback is refused, and nothing is walked back', async () => {
    await using database = await createTestDatabase();
    await using pooler = await startPgBouncer(database.url, { mode: 'transaction', size: 3 });
    const { exitCode, stderr } = await runCommandLine('rollback', pooler.url);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^this cannot run through a connection pooler: /);
    expect(await numberOf(database.url, LOCKS)).toBe(0);
    expect(await appliedTo(database.url)).toHaveLength((await readMigrations(repository.migrations)).length);
  });

  it('by the session a deploy goes through: its lock has a session of its own', async () => {
    await using database = await createTestDatabase({ empty: true });
    await using pooler = await startPgBouncer(database.url, { mode: 'session', size: 5 });
    const { exitCode, stdout, stderr } = await runCommandLine('deploy', pooler.url);
    expect(exitCode, stdout + stderr).toBe(0);
  });

  it('verify and audit work: they only read', async () => {
    await using database = await createTestDatabase();
    await using pooler = await startPgBouncer(database.url, { mode: 'transaction', size: 3 });
    expect(await runCommandLine('verify', pooler.url)).toMatchObject({ exitCode: 0 });
  });

  it('a service without the setting learns which one it needs, whatever the pooler makes of it', async () => {
    await using database = await createTestDatabase();
    await using strict = await startPgBouncer(database.url, { mode: 'transaction', size: 2 });
    const refused = createDb({ url: strict.url });
    await expect(ping(refused)).rejects.toThrow('DATABASE_POOLER=transaction');
    await refused.close();

    // One that ignores what it does not know, and then has other statements prepared than we think.
    const settings = ['ignore_startup_parameters = statement_timeout,idle_in_transaction_session_timeout'];
    await using lax = await startPgBouncer(database.url, { mode: 'transaction', size: 1, settings });
    const [one, two] = [createDb({ url: lax.url }), createDb({ url: lax.url })];
    const outcomes = await Promise.allSettled([ping(one), ping(two), ping(one)]);
    const refusals = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));
    expect(refusals.length).toBeGreaterThan(0);
    for (const refusal of refusals) {
      const message = expect.stringContaining('DATABASE_POOLER=transaction');
      expect(refusal).toMatchObject({ code: 'database_unavailable', message });
    }
    await Promise.all([one.close(), two.close()]);
  });

  it('a service with the setting works', async () => {
    await using database = await createTestDatabase();
    await using pooler = await startPgBouncer(database.url, { mode: 'transaction', size: 2 });
    const db = createDb({ url: pooler.url, pooler: true });
    await ping(db);
    const { number } = await openWallet(db, { holderName: 'Amina Otieno', phone: '254700000001' });
    await db.close();
    const [row] = await execute(database.url, `SELECT holder_name FROM core.wallets WHERE id = '${number}'`);
    expect(row).toEqual({ holder_name: 'Amina Otieno' });
  });
});
