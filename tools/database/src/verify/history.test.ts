import { createTestDatabase } from '@repo/postgres/testing';
import { describe, expect, it } from 'vitest';
import { deploy } from '../deployment.ts';
import { applyPending } from '../fixtures/databases.ts';
import { faultsOf } from '../fixtures/faults.ts';
import { TemporaryProject, repository } from '../fixtures/temporary-project.ts';
import { readMigrations } from '../migrations.ts';

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
    await applyPending(database.url, project.migrations);
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
