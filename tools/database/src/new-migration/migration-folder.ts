import { mkdir, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { MigrateError } from '../errors.ts';

/** A migration that is being written. */
export interface MigrationFolder {
  readonly path: string;
  readonly folder: string;
  /** Whether it was made by this call. */
  readonly isNew: boolean;
}

/**
 * Finds the migration of this name, or makes its folder.
 *
 * @param now its time: that of a new migration, and the new time of an old one that is to come last
 * @throws {MigrateError} OPTION_INVALID
 */
export async function takeMigrationFolder(
  migrations: string,
  { name, now, isLast }: { name: string; now: Date; isLast: boolean },
): Promise<MigrationFolder> {
  if (!/^[a-z][a-z0-9_]{2,59}$/.test(name)) {
    throw new MigrateError(
      'OPTION_INVALID',
      'name a migration in lower case, words joined by "_", such as "loans".',
    );
  }
  const folder = `${now.toISOString().replaceAll(/\D/g, '').slice(0, 14)}_${name}`;
  const path = join(migrations, folder);
  const found = (await readdir(migrations)).find((each) => /^\d{14}_/.test(each) && each.slice(15) === name);
  if (found === undefined) {
    await mkdir(path);
    return { path, folder, isNew: true };
  }
  if (!isLast) return { path: join(migrations, found), folder: found, isNew: false };
  await rename(join(migrations, found), path);
  return { path, folder, isNew: false };
}
