import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { execute } from '@repo/postgres/database';

const MIGRATIONS = join(import.meta.dirname, '..', '..', '..', '..', '..', 'prisma', 'migrations');

/** Migrates a database on a server of the test's own, where there is no template to clone. */
export async function migrate(url: string): Promise<void> {
  const entries = await readdir(MIGRATIONS, { withFileTypes: true });
  const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  for (const folder of folders.toSorted()) {
    await execute(url, await readFile(join(MIGRATIONS, folder, 'migration.sql'), 'utf8'));
  }
}
