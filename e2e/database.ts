import { randomBytes } from 'node:crypto';
import { createDatabase, databaseUrl, dropDatabase } from '@repo/postgres/database';
import { openDevelopmentServer } from '@repo/postgres/server';
import { runScript } from './processes.ts';
import { ROOT } from './env.ts';
import { CommandError } from './errors.ts';
import type { Settings } from './env.ts';

/** A migrated database for as long as the command runs. */
export interface OpenDatabase {
  readonly url: string;
  close(): Promise<void>;
}

/** The database that `dev` and the `db:*` commands share; it stays when they end. */
export async function openSharedDatabase(settings: Settings): Promise<OpenDatabase> {
  if (settings.databaseUrl !== null) {
    await migrate(settings, settings.databaseUrl);
    return { url: settings.databaseUrl, close: () => Promise.resolve() };
  }
  const server = await openDevelopmentServer(ROOT);
  const url = databaseUrl(server.url, 'daftari');
  await migrate(settings, url);
  return { url, close: () => server.stop() };
}

/**
 * A database of its own for one run, removed at its end, so that every run starts from nothing.
 *
 * @throws {CommandError} database_unusable
 */
export async function openOwnDatabase(settings: Settings): Promise<OpenDatabase> {
  const server = settings.databaseUrl === null ? await openDevelopmentServer(ROOT) : null;
  const serverUrl = server?.url ?? settings.databaseUrl ?? '';
  const name = `daftari_demo_${randomBytes(4).toString('hex')}`;
  const url = await createDatabase(serverUrl, name).catch((error: unknown) => {
    if (settings.databaseUrl === null || !(error instanceof Error)) throw error;
    throw new CommandError('database_unusable', `${error.message}. Start it, or correct DATABASE_URL.`);
  });
  await migrate(settings, url);
  return {
    url,
    async close() {
      await dropDatabase(serverUrl, name);
      await server?.stop();
    },
  };
}

function migrate(settings: Settings, url: string): Promise<string> {
  return runScript(settings, 'tools/database/src/deploy.ts', url);
}
