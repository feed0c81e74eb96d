import { execute } from '@repo/postgres/database';
import { createTestDatabase } from '@repo/postgres/testing';
import { describe, expect, it } from 'vitest';
import { appliedTo, applyPending, dumpOf, numberOf } from '../fixtures/databases.ts';
import { TemporaryProject, repository } from '../fixtures/temporary-project.ts';
import { readMigrations } from '../migrations.ts';
import { rollBack } from './roll-back.ts';

const names = (await readMigrations(repository.migrations)).map(({ name }) => name);
const [base, features] = names;

describe('a way back that fails', () => {
  it('leaves everything as it was, the steps before it included', async () => {
    await using database = await createTestDatabase();
    await using temporary = await TemporaryProject.create();
    const before = await dumpOf(database.url);
    await temporary.write(
      `migrations/${features}/down.sql`,
      'DROP TABLE services.sms_logs;\nDROP TABLE core.nothing;',
    );
    const refusal = rollBack({ url: database.url, migrations: temporary.project.migrations, to: base });
    await expect(refusal).rejects.toThrow(`${features}/down.sql: table "nothing" does not exist (42P01)`);
    expect(await dumpOf(database.url)).toBe(before);
    expect(await appliedTo(database.url)).toEqual(names);
  });

  it('only when the transaction ends leaves everything as it was, too', async () => {
    await using database = await createTestDatabase();
    await using temporary = await TemporaryProject.create();
    await execute(
      database.url,
      `CREATE TABLE public.late (id int PRIMARY KEY, other int REFERENCES public.late DEFERRABLE INITIALLY DEFERRED)`,
    );
    await temporary.write(`migrations/${names.at(-1)}/down.sql`, 'INSERT INTO public.late VALUES (1, 2);');
    await expect(rollBack({ url: database.url, migrations: temporary.project.migrations })).rejects.toThrow(
      'violates foreign key constraint',
    );
    expect(await numberOf(database.url, 'SELECT count(*) AS n FROM public.late')).toBe(0);
    expect(await appliedTo(database.url)).toEqual(names);
  });

  it('with CONCURRENTLY is refused, with the way to run it by hand', async () => {
    await using database = await createTestDatabase();
    await using temporary = await TemporaryProject.create();
    await temporary.write(
      `migrations/${names.at(-1)}/down.sql`,
      'DROP INDEX CONCURRENTLY core.idx_wallets_phone;',
    );
    await expect(rollBack({ url: database.url, migrations: temporary.project.migrations })).rejects.toThrow(
      /cannot run inside a transaction, so nothing was changed: .*psql/,
    );
  });
});

describe('what one down.sql sets in its session', () => {
  it('does not reach the next one, nor what follows', async () => {
    await using database = await createTestDatabase({ empty: true });
    await using temporary = await TemporaryProject.create({ empty: true });
    const probe = `SELECT current_user::text AS role, current_setting('TimeZone') AS zone,
      current_setting('search_path') AS path, current_setting('standard_conforming_strings') AS strings,
      current_setting('lock_timeout') AS patience`;
    await temporary.writeMigration('20240101000000_one', {
      sql: 'CREATE TABLE seen (role text, zone text, path text, strings text, patience text);',
      down: 'DROP TABLE seen;',
    });
    await temporary.writeMigration('20240102000000_two', {
      sql: 'SELECT 1;',
      down: `CREATE TEMP TABLE kept (id int); INSERT INTO seen ${probe};`,
    });
    await temporary.writeMigration('20240103000000_three', {
      sql: 'SELECT 1;',
      down: `INSERT INTO seen ${probe}; CREATE TEMP TABLE kept (id int);
        SET TimeZone = 'Africa/Nairobi'; SET search_path = pg_catalog; SET standard_conforming_strings = off;
        SET lock_timeout = 1; SET ROLE pg_read_all_data;`,
    });
    const { project } = temporary;
    await applyPending(database.url, project.migrations);
    await rollBack({
      url: database.url,
      migrations: project.migrations,
      to: '20240101000000_one',
      discardData: true,
    });
    const [first, second] = await execute(database.url, 'SELECT * FROM seen');
    expect(first).toMatchObject({ path: 'public', patience: '10s' });
    expect(second).toEqual(first);
  });
});
