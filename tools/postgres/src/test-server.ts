import { randomBytes } from 'node:crypto';
import { createDatabase, dropDatabase, execute } from './database.ts';
import { PostgresError } from './errors.ts';
import { migrateDatabase } from './migrations.ts';
import { startServer } from './server.ts';

/** Where the tests of one run find their databases. All names begin with `prefix`. */
export interface TestServer {
  readonly serverUrl: string;
  readonly template: string;
  readonly prefix: string;
}

declare module 'vitest' {
  export interface ProvidedContext {
    postgres: TestServer;
  }
}

interface TestServerOptions {
  /** An administrator's URL to a server to use; without it one is started. */
  readonly adminUrl: string | undefined;
  /** Where the programs of the server are that is started; those from npm by default. */
  readonly binaries?: string | undefined;
  /** The repository, with its migrations. */
  readonly rootDirectory: string;
}

const OLDEST_VERSION = 15;

/**
 * Provides a server with a migrated template database. `close` removes all databases of the run, and the server if it
 * was started here; it is called already when something fails on the way.
 */
export async function openTestServer(
  options: TestServerOptions,
): Promise<{ testServer: TestServer; close: () => Promise<void> }> {
  const server = await serverOf(options);
  const prefix = `test_${randomBytes(4).toString('hex')}_`;
  const template = `${prefix}template`;
  const close = async (): Promise<void> => {
    try {
      await dropAll(server.url, prefix);
    } finally {
      await server.stop();
    }
  };
  try {
    await migrateDatabase(options.rootDirectory, await createDatabase(server.url, template));
    // A connection by mistake would keep every test from cloning it.
    await execute(server.url, `ALTER DATABASE ${template} ALLOW_CONNECTIONS false`);
    return { testServer: { serverUrl: server.url, template, prefix }, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function serverOf({
  adminUrl,
  binaries,
}: TestServerOptions): Promise<{ url: string; stop: () => Promise<void> }> {
  if (adminUrl === undefined)
    return startServer({ durable: false, ...(binaries === undefined ? {} : { binaries }) });
  const [row] = await execute(
    adminUrl,
    `SELECT current_setting('server_version_num')::int / 10000 AS version`,
  ).catch((cause: unknown) => {
    throw new PostgresError('TEST_SERVER_UNUSABLE', 'check its host, port, user and password.', { cause });
  });
  const version = Number(row?.['version']);
  if (version < OLDEST_VERSION) {
    throw new PostgresError(
      'TEST_SERVER_UNUSABLE',
      `it is version ${version}; use ${OLDEST_VERSION} or later.`,
    );
  }
  return { url: adminUrl, stop: () => Promise.resolve() };
}

async function dropAll(serverUrl: string, prefix: string): Promise<void> {
  // The prefix is ours: letters, digits and underscores, which starts_with, unlike LIKE, takes as they are.
  const databases = await execute(
    serverUrl,
    `SELECT datname::text AS name FROM pg_database WHERE starts_with(datname, '${prefix}')`,
  );
  for (const { name } of databases) await dropDatabase(serverUrl, String(name));
}
