import { delimiter } from 'node:path';

/** The only file of this package that reads the environment. */
type Environment = Record<string, string>;

/** An administrator's URL to a server that the tests shall use in place of one of their own. */
export function testDatabaseUrl(): string | undefined {
  const url = process.env['TEST_DATABASE_URL'];
  return url === undefined || url === '' ? undefined : url;
}

/** A folder with `postgres` and `initdb`, to run the tests' own server from in place of the one from npm. */
export function testBinaries(): string | undefined {
  const directory = process.env['TEST_POSTGRES_BINARIES'];
  return directory === undefined || directory === '' ? undefined : directory;
}

/** How many workers of Citus the tests of the ledger shall have under them in place of one server; 0 for that. */
export function testNodes(): number {
  return Number(process.env['TEST_NODES'] ?? '0');
}

/** Where the cluster is, or shall be, that servers of the tests are copied from in place of running initdb for each. */
export function testCluster(): string | undefined {
  const directory = process.env['TEST_CLUSTER'];
  return directory === undefined || directory === '' ? undefined : directory;
}

/** Has this process and those that it starts copy that cluster. */
export function shareCluster(directory: string): void {
  process.env['TEST_CLUSTER'] = directory;
}

/** The environment for a process that makes its databases with initdb, as outside of tests. */
export function withoutSharedCluster(): NodeJS.ProcessEnv {
  return { ...process.env, TEST_CLUSTER: '' };
}

/**
 * What the PostgreSQL programs get to see. PG* variables, a locale or a time zone of the person who happens to
 * start the server must not change how it behaves, so nothing but the search path is passed on.
 */
export function serverEnvironment(): Environment {
  return { PATH: process.env['PATH'] ?? '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };
}

/** The environment of a command of this project: `binDirectory` comes first in the search path. */
export function commandEnvironment(binDirectory: string, extra: Environment): NodeJS.ProcessEnv {
  const path = [binDirectory, process.env['PATH'] ?? ''].filter((part) => part !== '').join(delimiter);
  return { ...process.env, ...extra, PATH: path };
}
