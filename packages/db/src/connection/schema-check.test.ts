import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { createDb } from './db.ts';
import { releaseMigrations } from './release-migrations.ts';
import { createSchemaCheck } from './schema-check.ts';
import { useTestDb } from '../testing/database/test-db.ts';

const database = useTestDb();
const { sql } = database;

const release = releaseMigrations() ?? new Map<string, readonly string[]>();
const LATEST = [...release.keys()].toSorted().at(-1) ?? '';

/** The history as the deployment left it, whatever a test has made of it. */
beforeEach(async () => {
  await sql('CREATE TABLE IF NOT EXISTS public.kept AS TABLE public._prisma_migrations');
  await sql('DELETE FROM public._prisma_migrations');
  await sql('INSERT INTO public._prisma_migrations TABLE public.kept');
});

test('a database with the migrations of this release can be used', async () => {
  expect(LATEST).not.toBe('');
  await expect(createSchemaCheck(database.db)()).resolves.toBeUndefined();
});

const MISSING = `DELETE FROM public._prisma_migrations WHERE migration_name = $1`;
const UNFINISHED = `UPDATE public._prisma_migrations SET finished_at = NULL WHERE migration_name = $1`;
const ROLLED_BACK = `UPDATE public._prisma_migrations SET rolled_back_at = now() WHERE migration_name = $1`;
const ANOTHER = `UPDATE public._prisma_migrations SET checksum = repeat('0', 64) WHERE migration_name = $1`;

test.each([
  ['is missing', MISSING],
  ['is not finished', UNFINISHED],
  ['was rolled back', ROLLED_BACK],
  ['was applied with another text', ANOTHER],
])('a database in which a migration of this release %s cannot, until it is mended', async (_what, change) => {
  const check = createSchemaCheck(database.db);
  await sql(change, [LATEST]);
  await expect(check()).rejects.toMatchObject({ code: 'schema_outdated' });
  await sql(MISSING, [LATEST]);
  await sql(`INSERT INTO public._prisma_migrations SELECT * FROM public.kept WHERE migration_name = $1`, [
    LATEST,
  ]);
  await expect(check()).resolves.toBeUndefined();
});

const newer = (state: string) => `
  INSERT INTO public._prisma_migrations (id, migration_name, checksum, started_at, finished_at, rolled_back_at)
  SELECT 'newer', '99990101000000_newer', repeat('0', 64), now(), ${state}`;

test('a database with a migration of a newer release cannot, once that is finished and not rolled back', async () => {
  const check = createSchemaCheck(database.db);
  await sql(newer('NULL, NULL'));
  await expect(check()).resolves.toBeUndefined();
  await sql(`UPDATE public._prisma_migrations SET finished_at = now() WHERE id = 'newer'`);
  await expect(check()).rejects.toMatchObject({ code: 'schema_newer' });
  await sql(`UPDATE public._prisma_migrations SET rolled_back_at = now() WHERE id = 'newer'`);
  await expect(check()).resolves.toBeUndefined();
});

test('a database to which nothing was ever deployed through Prisma cannot', async () => {
  await using elsewhere = await openElsewhere();
  await expect(createSchemaCheck(elsewhere.db)()).rejects.toMatchObject({ code: 'schema_outdated' });
});

/** The same database, through a URL that says that Prisma's table is in a schema where it is not. */
async function openElsewhere() {
  const url = new URL(database.url);
  url.searchParams.set('schema', 'els"ewhere');
  const db = createDb({ url: url.href });
  return { db, [Symbol.asyncDispose]: () => db.close() };
}

test('where the folder of migrations is not, the answer of the database is enough', async () => {
  expect(releaseMigrations(join(tmpdir(), 'no-such-folder'))).toBeNull();
  await sql(MISSING, [LATEST]);
  await expect(createSchemaCheck(database.db, null)()).resolves.toBeUndefined();
});

test('the line ends of the checkout make no difference', async () => {
  const place = await mkdtemp(join(tmpdir(), 'migrations-'));
  onTestFinished(() => rm(place, { recursive: true }));
  const write = async (name: string, text: string) => {
    await mkdir(join(place, name));
    await writeFile(join(place, name, 'migration.sql'), text);
  };
  await write('unix', 'SELECT 1;\nSELECT 2;\n');
  await write('windows', 'SELECT 1;\r\nSELECT 2;\r\n');
  const read = releaseMigrations(place);
  expect(read?.get('windows')).toEqual(read?.get('unix'));
  expect(new Set(read?.get('unix')).size).toBe(2);
});
