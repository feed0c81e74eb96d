import { execute } from '@repo/postgres/database';
import { createTestDatabase } from '@repo/postgres/testing';
import { describe, expect, it } from 'vitest';
import { withConnection } from '../connection.ts';
import { MigrateError, codeOf } from '../errors.ts';
import { explainDownFailure, runScript } from './script.ts';

/** Runs a script in a transaction that is then rolled back, and answers the explained error. */
async function failureOf(sql: string): Promise<unknown> {
  await using database = await createTestDatabase({ empty: true });
  return await withConnection(database.url, async (client) => {
    await client.query('BEGIN');
    try {
      await runScript(client, { sql, schema: 'public', settings: '' });
      return undefined;
    } catch (error) {
      return explainDownFailure(error, '20240101000000_one', sql);
    } finally {
      await client.query('ROLLBACK');
    }
  });
}

describe('a script within a transaction', () => {
  it('may be of any statements, with quotes of every kind', async () => {
    const sql = `
      CREATE TABLE t (id int, name text); -- a comment; with a ' quote
      CREATE FUNCTION f() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN $x$it's$x$; END $$;
      DO $body$ BEGIN INSERT INTO t VALUES (1, f()); END $body$;
      ALTER TABLE t DROP COLUMN id; /* and; more */ INSERT INTO t VALUES ('a;\\b'), (E'\\n');`;
    expect(await failureOf(sql)).toBeUndefined();
  });

  it('may be empty but for comments', async () => {
    expect(await failureOf('-- nothing to undo\n')).toBeUndefined();
  });

  it.each([
    'CREATE TABLE a (); COMMIT; CREATE TABLE b ();',
    'ROLLBACK;',
    'BEGIN; SELECT 1; COMMIT;',
    'DROP INDEX CONCURRENTLY i;',
    'CREATE TABLE a (id int); CREATE INDEX CONCURRENTLY i ON a (id);',
    'VACUUM;',
    'DO $$ BEGIN COMMIT; END $$;',
  ])('is refused with a clear message when it cannot be undone: %s', async (sql) => {
    const failure = await failureOf(sql);
    expect(codeOf(failure)).toBe('DOWN_NOT_TRANSACTIONAL');
    expect(String(failure)).toContain('20240101000000_one/down.sql');
  });

  it('says in which line the server stumbled, and repeats no value of a row', async () => {
    const failure = await failureOf('SELECT 1;\n\nDROP TABEL x;');
    expect(failure).toBeInstanceOf(MigrateError);
    expect(String(failure)).toContain('20240101000000_one/down.sql in line 3: syntax error');

    const duplicate = await failureOf(
      `CREATE TABLE t (phone text UNIQUE); INSERT INTO t VALUES ('254700000009'), ('254700000009');`,
    );
    expect(codeOf(duplicate)).toBe('DOWN_FAILED');
    expect(String(duplicate)).not.toContain('254700000009');
  });

  it('looks names up where Prisma does', async () => {
    await using database = await createTestDatabase({ empty: true });
    await execute(database.url, 'CREATE SCHEMA other');
    await withConnection(database.url, async (client) => {
      await client.query('BEGIN');
      await runScript(client, { sql: 'CREATE TABLE here ()', schema: 'other', settings: '' });
      await client.query('COMMIT');
    });
    const [row] = await execute(database.url, `SELECT to_regclass('other.here') IS NOT NULL AS there`);
    expect(row).toEqual({ there: true });
  });
});
