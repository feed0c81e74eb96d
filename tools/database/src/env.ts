import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** The only file of this package that reads the environment. */
export interface Environment {
  /** The database to work on; the development server's when it is not set. */
  readonly databaseUrl: string | undefined;
  /** A standby for what only reads. */
  readonly readUrl: string | undefined;
  /** Workers of Citus, as `host:port` with commas between them. */
  readonly citusWorkers: string | undefined;
  /** An administrator's URL to a server on which scratch databases may be made. */
  readonly testServerUrl: string | undefined;
}

/** Reads the settings, those in the root's `.env` included, as prisma.config.ts does. */
export function readEnvironment(root: string): Environment {
  const file = join(root, '.env');
  if (existsSync(file)) process.loadEnvFile(file);
  return {
    databaseUrl: process.env['DATABASE_URL'] || undefined,
    readUrl: process.env['DATABASE_READ_URL'] || undefined,
    citusWorkers: process.env['CITUS_WORKERS'] || undefined,
    testServerUrl: process.env['TEST_DATABASE_URL'] || undefined,
  };
}

/** The environment of a command of the workspace that shall work on the database `url`. */
export function commandEnvironment(root: string, url: string): NodeJS.ProcessEnv {
  const path = [join(root, 'node_modules', '.bin'), process.env['PATH']].filter(Boolean).join(delimiter);
  return {
    ...process.env,
    PATH: path,
    DATABASE_URL: url,
    PRISMA_HIDE_UPDATE_MESSAGE: '1',
    CHECKPOINT_DISABLE: '1',
  };
}
