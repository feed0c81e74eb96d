import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execute } from '@repo/postgres/database';
import { createTestDatabase } from '@repo/postgres/testing';
import { describe, expect, it } from 'vitest';
import { dumpOf } from '../fixtures/databases.ts';
import { repository } from '../fixtures/temporary-project.ts';
import { verifyDatabase } from '../verify/verify-database.ts';

const everyKind = await readFile(join(import.meta.dirname, '..', 'fixtures', 'every-kind.sql'), 'utf8');

const isOurs = (schema: string) =>
  `${schema} IN (SELECT oid FROM pg_namespace WHERE nspname IN ('core', 'services', 'zoo'))`;

/** A note of the server's own, before and after what people have set, on everything that has options. */
const NOTES = `
  UPDATE pg_attribute SET attoptions = '{pg_attver=7}'::text[] || attoptions || '{pg_seen=off}'
   WHERE attnum > 0 AND attrelid IN (SELECT oid FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'c')
                                        AND ${isOurs('relnamespace')});
  UPDATE pg_class SET reloptions = '{pg_relver=7}'::text[] || reloptions || '{pg_seen=off}'
   WHERE relkind IN ('r', 'p', 'v', 'm', 'i', 'I', 't') AND (${isOurs('relnamespace')} OR relkind = 't')`;

describe('what a server notes for itself among the options', () => {
  it('is no part of the dump, and what people set there is', async () => {
    await using database = await createTestDatabase({ empty: true });
    await execute(database.url, everyKind);
    const before = await dumpOf(database.url);
    await execute(database.url, NOTES);
    expect(await dumpOf(database.url)).toBe(before);
    for (const option of [
      'SET (n_distinct=5)',
      'SET (fillfactor=70)',
      'WITH (autovacuum_enabled=false, fillfactor=80, toast.autovacuum_enabled=off)',
      `WITH (deduplicate_items=off, fillfactor='60')`,
      'WITH (security_barrier=true)',
      'WITH (parallel_workers=2)',
    ]) {
      expect(before).toContain(option);
    }
  });

  it('is no fault of a migrated database', async () => {
    await using database = await createTestDatabase();
    await execute(database.url, NOTES);
    const { checks } = await verifyDatabase({ url: database.url, project: repository });
    expect(checks.flatMap(({ findings }) => findings.map(({ what }) => what))).toEqual([]);
  });
});

it('an option of an index method that an extension brings is dumped', async () => {
  await using database = await createTestDatabase({ empty: true });
  await execute(
    database.url,
    `CREATE EXTENSION bloom; CREATE TABLE public.t (a int); CREATE INDEX t_a ON public.t USING bloom (a) WITH (length = 32)`,
  );
  expect(await dumpOf(database.url)).toContain(`USING bloom (a) WITH (length='32');`);
});
