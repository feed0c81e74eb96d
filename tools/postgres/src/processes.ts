import { readFileSync } from 'node:fs';
import { readFile, readdir, readlink, realpath } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { codeOf } from './errors.ts';

/** Neither the end of another's child nor a server's progress is announced, so they are looked for this often. */
const POLL_MILLISECONDS = 10;

/** Answers once `condition` gives something, or undefined when `milliseconds` have passed. */
export async function poll<T>(
  condition: () => Promise<T | undefined>,
  milliseconds: number,
): Promise<T | undefined> {
  const deadline = performance.now() + milliseconds;
  for (;;) {
    const answer = await condition();
    if (answer !== undefined || performance.now() > deadline) return answer;
    await delay(POLL_MILLISECONDS);
  }
}

/** Whether a process has the number, be it one that lives or one that has ended. */
export function isTaken(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it is there, but is another user's.
    return codeOf(error) === 'EPERM';
  }
}

/**
 * Whether the process lives. One that has ended keeps its number until its parent has asked how, but no longer lives.
 */
export function isAlive(pid: number): boolean {
  return isTaken(pid) && !hasEndedUnasked(pid);
}

/** Sends the signal; a process that has ended already is fine. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if (codeOf(error) !== 'ESRCH') throw error;
  }
}

// The state is the first word after the name, which is in parentheses and may hold anything. Only Linux has this file.
function hasEndedUnasked(pid: number): boolean {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return /^[ZXx]/.test(text.slice(text.lastIndexOf(')') + 2));
  } catch (error) {
    if (isOutOfSight(error)) return false;
    throw error;
  }
}

/**
 * Whether a live process is the server of a data directory. Process ids are used again (in containers, where they
 * start from 1, soon), so a number in a file proves nothing. Only Linux lets us look; elsewhere it is 'unknown'.
 */
export async function isServerOf(pid: number, directory: string): Promise<'yes' | 'no' | 'unknown'> {
  if (process.platform !== 'linux') return 'unknown';
  const name = await look(() => readFile(`/proc/${pid}/comm`, 'utf8'));
  if (name !== undefined && name.trim() !== 'postgres') return 'no';
  const commandLine = await look(() => readFile(`/proc/${pid}/cmdline`, 'utf8'));
  if (commandLine?.split('\0').includes(directory)) return 'yes';
  // The server's working directory is its data directory. In a container root may not be allowed to see it.
  const workingDirectory = await look(() => readlink(`/proc/${pid}/cwd`));
  if (workingDirectory === undefined) return 'unknown';
  return workingDirectory === (await look(() => realpath(directory))) ? 'yes' : 'no';
}

/** Whether any process is seen to be a server of a data directory, also one that has not said so in its pid file yet. */
export async function isServed(directory: string): Promise<boolean> {
  if (process.platform !== 'linux') return false;
  for (const name of await readdir('/proc')) {
    if (/^\d+$/.test(name) && (await isServerOf(Number(name), directory)) === 'yes') return true;
  }
  return false;
}

/** What the operating system shows about a process: nothing when it has just ended or may not be seen. */
async function look(read: () => Promise<string>): Promise<string | undefined> {
  try {
    return await read();
  } catch (error) {
    if (isOutOfSight(error)) return undefined;
    throw error;
  }
}

function isOutOfSight(error: unknown): boolean {
  return ['ENOENT', 'ESRCH', 'EACCES', 'EPERM'].includes(codeOf(error) ?? '');
}
