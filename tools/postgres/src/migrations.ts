import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { commandEnvironment } from './env.ts';
import { PostgresError, codeOf } from './errors.ts';

const run = promisify(execFile);

/**
 * Brings the database to the newest migration of the repository, by the command that is used in production, so that
 * tests run on what will be deployed. Without migrations there is nothing to do.
 */
export async function migrateDatabase(rootDirectory: string, url: string): Promise<void> {
  if (!(await hasMigrations(rootDirectory))) return;
  const binDirectory = join(rootDirectory, 'node_modules', '.bin');
  try {
    await run(join(binDirectory, 'prisma'), ['migrate', 'deploy'], {
      cwd: rootDirectory,
      // Without the second variable the command asks the network for news of itself.
      env: commandEnvironment(binDirectory, { DATABASE_URL: url, CHECKPOINT_DISABLE: '1' }),
    });
  } catch (error) {
    throw new PostgresError('MIGRATION_FAILED', `correct what the command complains of. ${String(error)}`, {
      cause: error,
    });
  }
}

async function hasMigrations(rootDirectory: string): Promise<boolean> {
  try {
    const entries = await readdir(join(rootDirectory, 'prisma', 'migrations'), { withFileTypes: true });
    return entries.some((entry) => entry.isDirectory());
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw error;
  }
}
