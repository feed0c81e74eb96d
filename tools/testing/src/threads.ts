import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { Worker } from 'node:worker_threads';

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a program of ours to its end in a thread of this process, with no more in its environment than is given. It costs
 * a third of a process, for tests of what a command does. No signal reaches it, and that it runs as a process is for
 * other tests to show.
 */
export async function runInThread(
  path: string,
  args: readonly string[],
  environment: NodeJS.ProcessEnv,
): Promise<Ran> {
  const thread = new Worker(path, {
    argv: [...args],
    env: Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== undefined)),
    execArgv: [],
    stdout: true,
    stderr: true,
  });
  const [stdout, stderr, [code]] = await Promise.all([
    text(thread.stdout),
    text(thread.stderr),
    once(thread, 'exit'),
  ]);
  return { code: Number(code), stdout, stderr };
}
