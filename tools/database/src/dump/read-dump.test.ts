import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execute } from '@repo/postgres/database';
import { createTestDatabase } from '@repo/postgres/testing';
import { describe, expect, it } from 'vitest';
import { dumpOf } from '../fixtures/databases.ts';
import { repository } from '../fixtures/temporary-project.ts';

const everyKind = await readFile(join(import.meta.dirname, '..', 'fixtures', 'every-kind.sql'), 'utf8');

describe('the dump of a database', () => {
  it('makes the same database again, of every kind of object', async () => {
    await using first = await createTestDatabase({ empty: true });
    await using second = await createTestDatabase({ empty: true });
    await execute(first.url, everyKind);
    const dump = await dumpOf(first.url);
    await execute(second.url, dump);
    expect(await dumpOf(second.url)).toBe(dump);
  });

  it('makes the migrated database again', async () => {
    await using migrated = await createTestDatabase();
    await using empty = await createTestDatabase({ empty: true });
    const dump = await dumpOf(migrated.url);
    await execute(empty.url, dump);
    expect(await dumpOf(empty.url)).toBe(dump);
  });

  it('is the committed one for a migrated database', async () => {
    await using migrated = await createTestDatabase();
    expect(await dumpOf(migrated.url)).toBe(await readFile(repository.dump, 'utf8'));
  });

  it('does not depend on the settings of the database', async () => {
    await using database = await createTestDatabase({ empty: true });
    await execute(database.url, everyKind);
    const dump = await dumpOf(database.url);
    for (const setting of [
      `timezone TO 'Africa/Nairobi'`,
      `datestyle TO 'German'`,
      `intervalstyle TO 'iso_8601'`,
      'search_path TO zoo, pg_catalog',
      'quote_all_identifiers TO on',
    ]) {
      await execute(
        database.url,
        `DO $$ BEGIN EXECUTE 'ALTER DATABASE ' || quote_ident(current_database()) || $s$ SET ${setting}$s$; END $$`,
      );
    }
    expect(await dumpOf(database.url)).toBe(dump);
  });

  it('names what it cannot show, so that nothing goes unseen', async () => {
    await using database = await createTestDatabase({ empty: true });
    await execute(
      database.url,
      `CREATE SCHEMA zoo;
       CREATE AGGREGATE zoo.total(integer) (SFUNC = int4pl, STYPE = integer);
       CREATE OPERATOR zoo.=== (LEFTARG = integer, RIGHTARG = integer, FUNCTION = int4eq);
       CREATE TYPE zoo.span AS RANGE (subtype = integer);
       CREATE COLLATION zoo.plain (locale = 'C')`,
    );
    const dump = await dumpOf(database.url);
    for (const name of [
      'aggregate zoo.total(integer)',
      'operator zoo.===(integer,integer)',
      'range type zoo.span',
      'collation zoo.plain',
    ]) {
      expect(dump).toContain(`-- ${name} is there; its definition is not shown.`);
    }
  });

  it('leaves out Prisma’s own table and what belongs to an extension', async () => {
    await using migrated = await createTestDatabase();
    const dump = await dumpOf(migrated.url);
    await execute(migrated.url, 'CREATE SCHEMA tools; CREATE EXTENSION hstore SCHEMA tools');
    expect(dump).not.toContain('_prisma_migrations');
    const added = (await dumpOf(migrated.url)).split('\n').filter((line) => !dump.includes(line));
    expect(added).toEqual([
      '-- ==== extension: hstore ====',
      'CREATE EXTENSION hstore SCHEMA tools;',
      '-- ==== schema: tools ====',
      'CREATE SCHEMA tools;',
    ]);
  });
});
