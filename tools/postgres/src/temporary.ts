import { randomBytes } from 'node:crypto';
import type { Stats } from 'node:fs';
import { lstat, readdir, rm } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { canEnter, findAccount } from './account.ts';
import { PostgresError, codeOf } from './errors.ts';
import { findPostmaster } from './postmaster.ts';
import { isAlive } from './processes.ts';

/**
 * The path of a folder, yet to be made, for the data of a server that nobody wants back. It bears this process's id,
 * and the folders of processes that were killed before they could remove theirs are removed on the way.
 */
export async function chooseTemporaryDirectory(): Promise<string> {
  const base = await reachableBase();
  await removeAbandoned(base);
  return join(base, `${prefix()}${process.pid}-${randomBytes(6).toString('hex')}`);
}

export async function removeTemporaryDirectory(directory: string): Promise<void> {
  await rm(directory, { recursive: true, force: true, maxRetries: 3 });
}

/** Machines and containers may share a temporary folder, but not their process ids: hence the name in front. */
function prefix(): string {
  return `daftari-${hostname().replaceAll(/[^A-Za-z0-9]/g, '')}-`;
}

async function reachableBase(): Promise<string> {
  for (const base of [tmpdir(), '/var/tmp']) {
    if (await canEnter(await findAccount(base), base)) return base;
  }
  throw new PostgresError(
    'DIRECTORY_UNREACHABLE',
    'no temporary folder is open to every user. Set TMPDIR to one.',
  );
}

async function removeAbandoned(base: string): Promise<void> {
  for (const name of await readdir(base)) {
    if (!name.startsWith(prefix())) continue;
    const pid = Number.parseInt(name.slice(prefix().length), 10);
    if (!Number.isNaN(pid) && !isAlive(pid)) await removeUnused(join(base, name));
  }
}

/** What a killed initdb leaves are files as well as folders. Those of other users are left to them. */
async function removeUnused(path: string): Promise<void> {
  const entry = await inspect(path);
  if (entry === undefined || !isMine(entry.uid)) return;
  // A server needs a moment to notice that its last user is gone. Then it is for the next run to clear up.
  if (entry.isDirectory() && (await findPostmaster(path)) !== undefined) return;
  await removeTemporaryDirectory(path);
}

function isMine(uid: number): boolean {
  const self = process.geteuid?.();
  return self === 0 || self === uid;
}

/** Undefined when another process that clears up at the same time was faster. */
async function inspect(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
