import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TemporaryProject } from './fixtures/temporary-project.ts';
import { checksumOf, hasChecksum, readMigrations } from './migrations.ts';

const script = fc
  .array(fc.constantFrom('SELECT 1;', '-- ñ é 😀', '', "INSERT INTO t VALUES ('x');"), { minLength: 1 })
  .map((lines) => lines.join('\n'));

describe('the migrations folder', () => {
  it('is read in the order of the names, with the ways back that there are', async () => {
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

describe('a checksum', () => {
  it('is SHA-256 of the bytes in UTF-8', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (sql) => {
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
