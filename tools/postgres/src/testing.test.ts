import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { execute } from './database.ts';
import { createTestDatabase } from './testing.ts';

test('two test databases of one template know nothing of each other', async () => {
  await using first = await createTestDatabase();
  await using second = await createTestDatabase();
  await execute(first.url, 'CREATE TABLE only_here (id int)');
  const rows = await execute(second.url, `SELECT to_regclass('only_here')::text AS found`);
  expect(rows).toEqual([{ found: null }]);
});

test('a test database has every migration of the repository', async () => {
  await using database = await createTestDatabase();
  const rows = await execute(
    database.url,
    'SELECT migration_name AS name FROM _prisma_migrations WHERE finished_at IS NOT NULL ORDER BY 1',
  );
  const directory = join(import.meta.dirname, '..', '..', '..', 'prisma', 'migrations');
  const entries = await readdir(directory, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  expect(rows.map((row) => row['name'])).toEqual(names.toSorted());
});
