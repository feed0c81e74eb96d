import { databaseUrl } from '@repo/postgres/database';
import { openDevelopmentServer } from '@repo/postgres/server';
import { readEnvironment } from './env.ts';
import { MigrateError } from './errors.ts';
import type { Project } from './project.ts';

/** The database that a command works on. */
export interface Target extends AsyncDisposable {
  readonly url: string;
}

const DEVELOPMENT_DATABASE = 'daftari';

/** The database of the commands and of dev on the development server. */
export function developmentUrl(serverUrl: string): string {
  return databaseUrl(serverUrl, DEVELOPMENT_DATABASE);
}

/** The standby of DATABASE_READ_URL if that is asked for, and otherwise the database of `openTarget`. */
export async function openReadTarget(project: Project, isReplica: boolean): Promise<Target> {
  if (!isReplica) return openTarget(project);
  const { readUrl: url } = readEnvironment(project.root);
  if (url !== undefined) return { url, [Symbol.asyncDispose]: () => Promise.resolve() };
  throw new MigrateError('OPTION_INVALID', '--replica needs DATABASE_READ_URL, the address of a standby.');
}

/** What a command that takes it says of the option, and of the setting that it needs. */
export const REPLICA_OPTION =
  '  --replica      read from the standby of DATABASE_READ_URL, which may be a little late';

/** The database of DATABASE_URL, or else the development server's, which runs as long as a process uses it. */
export async function openTarget(project: Project): Promise<Target> {
  const { databaseUrl: url } = readEnvironment(project.root);
  if (url !== undefined) return { url, [Symbol.asyncDispose]: () => Promise.resolve() };
  const server = await openDevelopmentServer(project.root);
  return {
    url: developmentUrl(server.url),
    [Symbol.asyncDispose]: () => server.stop(),
  };
}
