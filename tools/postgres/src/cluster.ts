import { randomBytes } from 'node:crypto';
import { chmod, chown, mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Account, canEnter, runAs } from './account.ts';
import type { Binaries } from './binaries.ts';
import { PostgresError, codeOf } from './errors.ts';

/** The name of the superuser of every cluster made here. */
export const SUPERUSER = 'postgres';

const PASSWORD_FILE = 'daftari.password';

interface ClusterOptions {
  readonly account: Account | undefined;
  readonly binaries: Binaries;
  readonly durable: boolean;
  /** A cluster that no server ever runs in, to copy in place of running initdb; it is made when it is missing. */
  readonly sample?: string | undefined;
}

/** Makes `directory` a database cluster, or checks that the one it holds fits the programs. */
export async function ensureCluster(directory: string, options: ClusterOptions): Promise<void> {
  const version = await clusterVersion(directory);
  if (version === undefined) return createCluster(directory, options);
  if (version === options.binaries.version) return;
  throw new PostgresError(
    'VERSION_MISMATCH',
    `${directory} was made by PostgreSQL ${version}, but the programs are of version ${options.binaries.version}. ` +
      'Move the folder away to start with an empty database, or use programs of its version.',
  );
}

/** The password of the superuser, which lies beside the data, readable by its owner alone. */
export async function readPassword(directory: string): Promise<string> {
  const path = join(directory, PASSWORD_FILE);
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch (error) {
    throw new PostgresError(
      'DIRECTORY_UNREACHABLE',
      `${path} cannot be read. Run this as the user who made the data directory, or move the folder away.`,
      { cause: error },
    );
  }
}

async function clusterVersion(directory: string): Promise<number | undefined> {
  try {
    const entries = await readdir(directory);
    if (entries.length === 0) return undefined;
    if (entries.includes('PG_VERSION')) return Number(await readFile(join(directory, 'PG_VERSION'), 'utf8'));
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw new PostgresError(
      'DIRECTORY_UNREACHABLE',
      `${directory} cannot be read. Run this as the user who made it, or name another folder.`,
      { cause: error },
    );
  }
  throw new PostgresError(
    'DIRECTORY_UNSUITABLE',
    `${directory} is neither empty nor a database. Name an empty folder.`,
  );
}

/**
 * Works in a folder beside the final one and moves it into place when it is complete, so that an interrupted initdb
 * leaves nothing that looks like a database, and of two at the same time one wins whole.
 */
async function createCluster(directory: string, options: ClusterOptions): Promise<void> {
  const staging = `${directory}.${randomBytes(4).toString('hex')}`;
  try {
    await makeParent(dirname(directory), options.account);
    await mkdir(staging, { mode: 0o700 });
    await giveTo(options.account, staging);
    await assertReachable(staging, options.account);
    if (options.sample === undefined) await initialise(staging, options);
    else await copySample(staging, options.sample, options);
    await moveIntoPlace(staging, directory);
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

async function giveTo(account: Account | undefined, path: string): Promise<void> {
  if (account !== undefined) await chown(path, account.uid, account.gid);
}

async function makeParent(parent: string, account: Account | undefined): Promise<void> {
  const created = await mkdir(parent, { recursive: true });
  // Root's umask may be strict, and then the server's account could not pass.
  if (created !== undefined && account !== undefined) await chmod(parent, 0o755);
}

async function assertReachable(directory: string, account: Account | undefined): Promise<void> {
  if (await canEnter(account, directory)) return;
  throw new PostgresError(
    'DIRECTORY_UNREACHABLE',
    `the server runs as uid ${account?.uid}, which may not enter a folder above ${directory}. Name a data directory ` +
      'that every user can reach, or run this as an ordinary user.',
  );
}

async function initialise(directory: string, options: ClusterOptions): Promise<void> {
  // initdb wants an empty folder.
  const password = `${directory}.password`;
  try {
    await writeFile(password, `${randomBytes(16).toString('hex')}\n`, { mode: 0o600, flag: 'wx' });
    await giveTo(options.account, password);
    await runInitdb(directory, password, options);
    await rename(password, join(directory, PASSWORD_FILE));
  } finally {
    await rm(password, { force: true });
  }
}

async function runInitdb(directory: string, passwordPath: string, options: ClusterOptions): Promise<void> {
  const args = ['-D', directory, '-U', SUPERUSER, `--pwfile=${passwordPath}`, '--auth=scram-sha-256'];
  args.push('--encoding=UTF8', '--locale=C', '--no-instructions');
  // Since version 17 PostgreSQL brings C.UTF-8 with it: the same on every machine, and upper() knows all letters.
  if (options.binaries.version >= 17) args.push('--locale-provider=builtin', '--builtin-locale=C.UTF-8');
  if (!options.durable) args.push('--no-sync');
  try {
    await runAs(options.account, join(options.binaries.directory, 'initdb'), args);
  } catch (error) {
    throw new PostgresError('INITIALISATION_FAILED', `initdb could not make a database in ${directory}.`, {
      cause: error,
    });
  }
}

/** A tenth of what initdb costs. Copies have one password, and one identity for standbys. */
async function copySample(directory: string, sample: string, options: ClusterOptions): Promise<void> {
  await ensureCluster(sample, { ...options, durable: false, sample: undefined });
  await runAs(options.account, '/bin/cp', ['-R', `${sample}/.`, directory]);
}

async function moveIntoPlace(staging: string, directory: string): Promise<void> {
  try {
    await rename(staging, directory);
  } catch (error) {
    // Another process made the same cluster meanwhile; theirs is in use, ours is removed.
    const code = codeOf(error);
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
  }
}
