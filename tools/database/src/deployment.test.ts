import { execute } from '@repo/postgres/database';
import { createTestDatabase } from '@repo/postgres/testing';
import { Client } from 'pg';
import { describe, expect, it } from 'vitest';
import { deploy } from './deployment.ts';
import { appliedTo } from './fixtures/databases.ts';
import { runCommandLine } from './fixtures/run-command.ts';
import { BASE } from './fixtures/shop.ts';
import { TemporaryProject, repository } from './fixtures/temporary-project.ts';
import { MIGRATION_LOCK } from './migration-lock.ts';
import { runPrisma } from './prisma-cli.ts';

/** A session that has the migration lock. */
async function lockedBy(url: string, name: string): Promise<{ pid: string; end: () => Promise<void> }> {
  const client = new Client({ connectionString: url, application_name: name });
  // A test may have it ended by the server.
  client.on('error', () => undefined);
  await client.connect();
  await client.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]);
  const { rows } = await client.query<{ pid: string }>('SELECT pg_backend_pid()::text AS pid');
  return { pid: rows[0]?.pid ?? '', end: () => client.end() };
}

describe('a deployment', () => {
  it('waits for another deployer that has the lock, names it, and then goes on', async () => {
    await using database = await createTestDatabase({ empty: true });
    await using temporary = await TemporaryProject.create({ empty: true });
    await temporary.writeMigration(BASE.name, BASE);
    const other = await lockedBy(database.url, 'ops-laptop');

    const waited = Promise.withResolvers<string>();
    const deployment = deploy({
      project: temporary.project,
      url: database.url,
      output: 'keep',
      onWait: waited.resolve,
    });
    const holder = await waited.promise;
    expect(holder).toContain(`process ${other.pid}, application "ops-laptop", user "`);
    expect(holder).toMatch(/idle, connected since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC/);
    expect(await appliedTo(database.url)).toEqual([]);
    await other.end();
    expect(await deployment).toMatchObject({ exitCode: 0 });
    expect(await appliedTo(database.url)).toEqual([BASE.name]);
  });

  it('is refused where other migrations have made the database, before anything is done', async () => {
    await using database = await createTestDatabase();
    const [newest = ''] = (await appliedTo(database.url)).toReversed();
    await execute(
      database.url,
      `UPDATE _prisma_migrations SET migration_name = '20261121000000_folded' WHERE migration_name = '${newest}'`,
    );
    const { exitCode, stderr } = await runCommandLine('deploy', database.url);
    expect(exitCode).toBe(1);
    expect(stderr).toContain(`20261121000000_folded is applied, and ${newest} is pending`);
    expect(stderr).toContain('delete .daftari');
    expect(await appliedTo(database.url)).not.toContain(newest);
  });

  it('gives up after the time that it was given, with how to end a session that was left behind', async () => {
    await using database = await createTestDatabase();
    const other = await lockedBy(database.url, 'left-behind');
    const { exitCode, stderr } = await runCommandLine('deploy', database.url, ['--wait', '4']);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^Waiting for another deploy or rollback: process \d+, application "left-behind"/);
    expect(stderr).toContain('another process is migrating this database');
    // What it says to do is enough.
    const advice = /SELECT pg_terminate_backend\(\d+\)/.exec(stderr)?.[0] ?? '';
    await execute(database.url, advice);
    expect(await runCommandLine('deploy', database.url, ['--wait', '60'])).toMatchObject({ exitCode: 0 });
    await other.end();
  });

  it('learns from Prisma itself, too, who has the lock', async () => {
    await using database = await createTestDatabase();
    const other = await lockedBy(database.url, 'somebody');
    const run = await runPrisma(repository, ['migrate', 'deploy'], { url: database.url, output: 'keep' });
    expect(run.output).toContain('P1002');
    expect(run.output).toContain('It is held by process');
    expect(run.output).toContain('application "somebody"');
    await other.end();
  });

  it('keeps the exit code and the words of a deployment that fails, and does not try it again', async () => {
    await using database = await createTestDatabase({ empty: true });
    await using temporary = await TemporaryProject.create({ empty: true });
    await temporary.writeMigration('20240101000000_broken', { sql: 'SELECT 1 / 0;' });
    const { exitCode, output } = await deploy({
      project: temporary.project,
      url: database.url,
      output: 'keep',
    });
    expect(exitCode).toBe(1);
    expect(output).toContain('P3018');
    expect(output).toContain('division by zero');
  });

  it('says what is missing when the command line is not installed', async () => {
    await using temporary = await TemporaryProject.create({ empty: true });
    const project = { ...temporary.project, root: temporary.project.migrations };
    await expect(deploy({ project, url: 'postgresql://h/d', output: 'keep' })).rejects.toMatchObject({
      code: 'CLI_ABSENT',
    });
  });
});
