import { databaseUrl } from '@repo/postgres/database';
import { openDevelopmentServer } from '@repo/postgres/server';
import { readEnvironment } from './env.ts';
import type { Project } from './project.ts';

/** The database that a command works on. */
export type Target = AsyncDisposable & { url: string };

const developmentDatabase = 'daftari';

/** The database of DATABASE_URL, or else the development server's, which runs as long as somebody uses it. */
export async function openTarget(project: Project): Promise<Target> {
  const { databaseUrl: url } = readEnvironment(project.root);
  if (url !== undefined) return { url, [Symbol.asyncDispose]: () => Promise.resolve() };
  const server = await openDevelopmentServer(project.root);
  return {
    url: databaseUrl(server.url, developmentDatabase),
    [Symbol.asyncDispose]: () => server.stop(),
  };
}
