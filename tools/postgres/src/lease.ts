import { randomBytes } from 'node:crypto';
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { readFile, readdir, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type Account, runAs } from './account.ts';
import { codeOf } from './errors.ts';

/**
 * A share in a running server. All shares are write ends of one named pipe whose read end the server's keeper holds,
 * so the operating system counts the users, also those that are killed, and the keeper sees the end of the pipe when
 * the last is gone.
 */
export interface Lease {
  readonly path: string;
  /** Gives the share up. Answers whether it was the last, which means that the server stops now. */
  readonly release: () => boolean;
}

/** The setting in which newcomers find the name of a running server's pipe. */
const SETTING = 'daftari.lease';

const FILE_PREFIX = 'lease.';

const STALE_MILLISECONDS = 60_000;

/** Makes the pipe of a server that is about to be started. */
export async function createLease(directory: string, account: Account | undefined): Promise<Lease> {
  const path = join(directory, `${FILE_PREFIX}${randomBytes(6).toString('hex')}`);
  await runAs(account, 'mkfifo', ['-m', '600', path]);
  // Opened for both directions, because opening for one waits until another process opens the other.
  return leaseOn(path, openSync(path, constants.O_RDWR));
}

export function leaseSetting(lease: Lease): string {
  return `${SETTING}=${basename(lease.path)}`;
}

/**
 * A share in the server that runs in `directory`: 'unkept' when that server was started by other means, and
 * 'closing' when its last user has just left.
 */
export async function joinLease(directory: string): Promise<Lease | 'closing' | 'unkept'> {
  const path = await leasePath(directory);
  if (path === undefined) return 'unkept';
  try {
    return leaseOn(path, openSync(path, constants.O_WRONLY | constants.O_NONBLOCK));
  } catch (error) {
    // ENXIO: nobody reads it any more. ENOENT: the keeper has removed it.
    if (codeOf(error) === 'ENXIO' || codeOf(error) === 'ENOENT') return 'closing';
    throw error;
  }
}

/** Removes the pipes that keepers could not remove because they were killed or the machine stopped. */
export async function removeStaleLeases(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    if (!name.startsWith(FILE_PREFIX)) continue;
    const path = join(directory, name);
    if ((await isOld(path)) && !hasReader(path)) await rm(path, { force: true });
  }
}

/** The server records its command line in a file, as one quoted word for each argument. */
async function leasePath(directory: string): Promise<string | undefined> {
  try {
    const commandLine = await readFile(join(directory, 'postmaster.opts'), 'utf8');
    const name = /"daftari\.lease=(lease\.[0-9a-f]+)"/.exec(commandLine)?.[1];
    return name === undefined ? undefined : join(directory, name);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function leaseOn(path: string, descriptor: number): Lease {
  let last: boolean | undefined;
  const release = (): boolean => {
    if (last !== undefined) return last;
    closeSync(descriptor);
    last = !hasWriters(path);
    return last;
  };
  return { path, release };
}

/** A young pipe may be that of a start under way, which nobody reads yet. */
async function isOld(path: string): Promise<boolean> {
  try {
    return Date.now() - (await stat(path)).mtimeMs > STALE_MILLISECONDS;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw error;
  }
}

function hasReader(path: string): boolean {
  try {
    closeSync(openSync(path, constants.O_WRONLY | constants.O_NONBLOCK));
    return true;
  } catch (error) {
    if (codeOf(error) === 'ENXIO' || codeOf(error) === 'ENOENT') return false;
    throw error;
  }
}

function hasWriters(path: string): boolean {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    // Without a writer a read sees the end of the pipe at once; with one there is just nothing to read yet.
    return readSync(descriptor, Buffer.alloc(1)) > 0;
  } catch (error) {
    if (codeOf(error) === 'EAGAIN') return true;
    if (codeOf(error) === 'ENOENT') return false;
    throw error;
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}
