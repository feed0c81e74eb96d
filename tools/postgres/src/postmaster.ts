import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PostgresError, codeOf } from './errors.ts';
import { isAlive, isServerOf, isTaken, poll } from './processes.ts';

/** What a running server writes into its data directory about itself. */
export interface Postmaster {
  readonly pid: number;
  readonly port: number;
  readonly ready: boolean;
}

/** The live server of a data directory, or undefined. The file that names it outlives a crash. */
export async function findPostmaster(directory: string): Promise<Postmaster | undefined> {
  const postmaster = await readPidFile(directory);
  return postmaster !== undefined && (await isServing(postmaster.pid, directory)) ? postmaster : undefined;
}

/**
 * Whether the number in the pid file is that of another program, or of a server that has ended and whose parent has not
 * asked how: the server itself takes either for a live one and refuses to start.
 */
export async function hasMisleadingPidFile(directory: string): Promise<boolean> {
  const postmaster = await readPidFile(directory);
  if (postmaster === undefined || !isTaken(postmaster.pid)) return false;
  return !(await isServing(postmaster.pid, directory));
}

/** Whether the server of a data directory has ended within `milliseconds`, whatever has its number afterwards. */
export async function hasEnded(
  { pid }: Postmaster,
  directory: string,
  milliseconds: number,
): Promise<boolean> {
  const ended = await poll(async () => ((await isServing(pid, directory)) ? undefined : true), milliseconds);
  return ended ?? false;
}

/** Whether a process lives and is, as far as anybody can see, the server of a data directory. */
export async function isServing(pid: number, directory: string): Promise<boolean> {
  return isAlive(pid) && (await isServerOf(pid, directory)) !== 'no';
}

/** A line each for pid, directory, start, port, socket, address, memory key and state, as they come about. */
async function readPidFile(directory: string): Promise<Postmaster | undefined> {
  try {
    const lines = (await readFile(join(directory, 'postmaster.pid'), 'utf8')).split('\n');
    const pid = Number(lines[0]);
    if (!Number.isInteger(pid) || pid <= 0) return undefined;
    // A hot standby takes connections as well.
    const ready = ['ready', 'standby'].includes(lines[7]?.trim() ?? '');
    return { pid, port: Number(lines[3] ?? 0), ready };
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw new PostgresError(
      'DIRECTORY_UNREACHABLE',
      `${directory} cannot be read. Run this as the user who made it, or name another folder.`,
      { cause: error },
    );
  }
}
