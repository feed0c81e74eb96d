import { createTestDatabase } from '@repo/postgres/testing';
import { Client } from 'pg';
import { describe, expect, it } from 'vitest';
import { deploy } from './deployment.ts';
import { appliedTo } from './fixtures/databases.ts';
import { base } from './fixtures/shop.ts';
import { TemporaryProject } from './fixtures/temporary-project.ts';
import { migrationLock } from './migration-lock.ts';

describe('a deployment', () => {
  it('tries again when another deployer holds the lock for longer than Prisma waits', async () => {
    await using database = await createTestDatabase({ empty: true });
    await using temporary = await TemporaryProject.create({ empty: true });
    await temporary.writeMigration(base.name, base);
    const other = new Client({ connectionString: database.url });
    await other.connect();
    await other.query('SELECT pg_advisory_lock($1)', [migrationLock]);

    // The other one finishes once Prisma has given up for the first time.
    const givenUp = Promise.withResolvers<void>();
    const deployment = deploy({
      project: temporary.project,
      url: database.url,
      output: 'keep',
      onRetry: givenUp.resolve,
    });
    await givenUp.promise;
    expect(await appliedTo(database.url)).toEqual([]);
    await other.end();
    expect(await deployment).toMatchObject({ exitCode: 0 });
    expect(await appliedTo(database.url)).toEqual([base.name]);
  });

  it('keeps the exit code and the words of a deployment that fails, and does not try it again', async () => {
    await using database = await createTestDatabase({ empty: true });
    await using temporary = await TemporaryProject.create({ empty: true });
    await temporary.writeMigration('20240101000000_broken', { sql: 'SELECT 1 / 0;' });
    let retries = 0;
    const { exitCode, output } = await deploy({
      project: temporary.project,
      url: database.url,
      output: 'keep',
      onRetry: () => (retries += 1),
    });
    expect(exitCode).toBe(1);
    expect(output).toContain('P3018');
    expect(output).toContain('division by zero');
    expect(retries).toBe(0);
  });

  it('says what is missing when the command line is not installed', async () => {
    await using temporary = await TemporaryProject.create({ empty: true });
    const project = { ...temporary.project, root: temporary.project.migrations };
    await expect(deploy({ project, url: 'postgresql://h/d', output: 'keep' })).rejects.toMatchObject({
      code: 'CLI_ABSENT',
    });
  });
});
