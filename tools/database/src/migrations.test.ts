import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createTestDatabase } from '@repo/postgres/testing';
import fc from 'fast-check';
import { anyCharacter } from '@repo/testing/characters';
import { describe, expect, it } from 'vitest';
import { appliedTo } from './fixtures/databases.ts';
import { TemporaryProject } from './fixtures/temporary-project.ts';
import { checksumOf, hasChecksum, readMigrations } from './migrations.ts';
import { runPrisma } from './prisma-cli.ts';

const script = fc
  .array(fc.constantFrom('SELECT 1;', '-- ñ é 😀', '', "INSERT INTO t VALUES ('x');"), { minLength: 1 })
  .map((lines) => lines.join('\n'));

describe('the migrations folder', () => {
  it('is read in the order of the names, with the ways back that exist', async () => {
    await using temporary = await TemporaryProject.create({ empty: true });
    await temporary.writeMigration('20240102000000_two', { sql: 'SELECT 2;' });
    await temporary.writeMigration('20240101000000_one', { sql: 'SELECT 1;', down: 'SELECT -1;' });
    expect(await readMigrations(temporary.project.migrations)).toEqual([
      { name: '20240101000000_one', sql: 'SELECT 1;', downSql: 'SELECT -1;' },
      { name: '20240102000000_two', sql: 'SELECT 2;', downSql: undefined },
    ]);
  });

  it('must be there, and each folder in it must have its script', async () => {
    await using temporary = await TemporaryProject.create({ empty: true });
    await temporary.write('migrations/20240101000000_one/notes.txt', 'nothing');
    await expect(readMigrations(temporary.project.migrations)).rejects.toMatchObject({
      code: 'MIGRATION_UNREADABLE',
      message: expect.stringContaining('20240101000000_one/migration.sql'),
    });
    await expect(readMigrations(`${temporary.project.migrations}-elsewhere`)).rejects.toMatchObject({
      code: 'MIGRATION_UNREADABLE',
    });
  });
});

/** Files that an editor or a checkout can leave, and what must be reported about them. */
const UNREADABLE = [
  ['a byte order mark', Buffer.from('\uFEFFSELECT 1;', 'utf8'), 'begins with a byte order mark'],
  ['UTF-16', Buffer.from('\uFEFFSELECT 1;', 'utf16le'), 'is in UTF-16'],
  ['UTF-16 without a mark', Buffer.from('SELECT 1;', 'utf16le'), 'is in UTF-16'],
  ['Latin-1', Buffer.from('SELECT 1;\n-- café', 'latin1'), 'is not in UTF-8 (line 2), perhaps in Latin-1'],
  ['nothing', Buffer.alloc(0), 'is empty'],
  ['blanks', Buffer.from(' \n\t\n'), 'is empty'],
] as const;

describe('a script that no server could read', () => {
  it.each(UNREADABLE)('is refused with its path and what to do: %s', async (_, bytes, fault) => {
    await using temporary = await TemporaryProject.create({ empty: true });
    const { migrations } = temporary.project;
    for (const file of ['migration.sql', 'down.sql']) {
      await temporary.writeMigration('20240101000000_one', { sql: 'SELECT 1;', down: 'SELECT 1;' });
      await writeFile(join(migrations, '20240101000000_one', file), bytes);
      await expect(readMigrations(migrations)).rejects.toMatchObject({
        code: 'MIGRATION_UNREADABLE',
        message: expect.stringContaining(`20240101000000_one/${file} ${fault}`),
      });
    }
  });

  // One goes all the way through the command; that the engine refuses each of them is shown beside it.
  const [, , , latin] = UNREADABLE;

  it('ends prisma migrate deploy before anything has begun', async () => {
    const [, bytes, fault] = latin;
    await using database = await createTestDatabase({ empty: true });
    await using temporary = await TemporaryProject.create({ empty: true });
    const { project } = temporary;
    await temporary.writeMigration('20240101000000_one', { sql: 'CREATE TABLE one (id int);' });
    await temporary.writeMigration('20240102000000_two', { sql: '' });
    await writeFile(join(project.migrations, '20240102000000_two', 'migration.sql'), bytes);
    const run = await runPrisma(project, ['migrate', 'deploy'], { url: database.url, output: 'keep' });
    expect(run.exitCode).toBe(1);
    expect(run.output.replaceAll(/\s+/g, ' ')).toContain(`20240102000000_two/migration.sql ${fault}`);
    expect(await appliedTo(database.url)).toEqual([]);
  });

  it('is one with CRLF no more than one with LF', async () => {
    await using temporary = await TemporaryProject.create({ empty: true });
    await temporary.writeMigration('20240101000000_one', { sql: 'SELECT 1;\r\nSELECT 2;\r\n' });
    expect(await readMigrations(temporary.project.migrations)).toHaveLength(1);
  });
});

describe('a checksum', () => {
  it('is SHA-256 of the bytes in UTF-8', () => {
    fc.assert(
      fc.property(fc.string({ unit: anyCharacter }), (sql) => {
        expect(checksumOf(sql)).toBe(createHash('sha256').update(Buffer.from(sql, 'utf8')).digest('hex'));
      }),
    );
  });

  it('stands for a script whatever its line ends, and for no other script', () => {
    fc.assert(
      fc.property(
        script,
        script,
        fc.record({ was: fc.boolean(), is: fc.boolean() }),
        (one, other, windows) => {
          const onDisk = windows.is ? one.replaceAll('\n', '\r\n') : one;
          const checksum = checksumOf(windows.was ? one.replaceAll('\n', '\r\n') : one);
          expect(hasChecksum(onDisk, checksum)).toBe(true);
          expect(hasChecksum(other, checksum)).toBe(one === other);
        },
      ),
    );
  });
});
