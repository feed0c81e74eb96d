import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PostgresError, codeOf } from './errors.ts';
import { isAlive, isServerOf } from './processes.ts';

/** What a running server writes into its data directory about itself. */
export type Postmaster = { pid: number; port: number; ready: boolean };

/** The live server of a data directory, or undefined. The file that names it outlives a crash. */
export async function findPostmaster(directory: string): Promise<Postmaster | undefined> {
  const postmaster = await readPidFile(directory);
  if (postmaster === undefined || !isAlive(postmaster.pid)) return undefined;
  return (await isServerOf(postmaster.pid, directory)) === 'no' ? undefined : postmaster;
}

/** Whether the pid file names a live process that is not this server: the server itself would refuse to start. */
export async function hasMisleadingPidFile(directory: string): Promise<boolean> {
  const postmaster = await readPidFile(directory);
  if (postmaster === undefined || !isAlive(postmaster.pid)) return false;
  return (await isServerOf(postmaster.pid, directory)) === 'no';
}

/** A line each for pid, directory, start, port, socket, address, memory key and state, as they come about. */
async function readPidFile(directory: string): Promise<Postmaster | undefined> {
  try {
    const lines = (await readFile(join(directory, 'postmaster.pid'), 'utf8')).split('\n');
    const pid = Number(lines[0]);
    if (!Number.isInteger(pid) || pid <= 0) return undefined;
    return { pid, port: Number(lines[3] ?? 0), ready: lines[7]?.trim() === 'ready' };
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw new PostgresError(
      'DIRECTORY_UNREACHABLE',
      `${directory} cannot be read. Run this as the user who made it, or name another folder.`,
      { cause: error },
    );
  }
}
