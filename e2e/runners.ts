import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

// `npx … dev` is npm, a shell, pnpm and another shell, and then this process. A signal to the first of them ends it and
// reaches none of the others, so a process that wants to end with them has to look.

interface Process {
  readonly parent: number;
  readonly command: string;
}

const MANAGER = /(?:^|[/\s])(?:npm|npx|pnpm|pnpx|yarn|bun)(?:[-.][\w.]+)?(?:\s|$)/;
const SHELL = /^(?:\S*\/)?(?:ba|da|a|z|k)?sh\s+-c\s/;

const LOOK_MS = 500;

/**
 * Calls `whenGone` once when one of the package managers and their shells through which this process was started has
 * ended. A process that was started otherwise, by a shell or a test, is left alone.
 */
export function watchRunners(whenGone: () => void): Disposable {
  const over = new AbortController();
  const watch = async (): Promise<void> => {
    const chain = await runnersAbove(process.pid);
    while (!over.signal.aborted && chain.length > 0) {
      await sleep(LOOK_MS, undefined, { ref: false });
      if (await isWhole(chain)) continue;
      if (!over.signal.aborted) whenGone();
      return;
    }
  };
  void watch();
  return {
    [Symbol.dispose]() {
      over.abort();
    },
  };
}

/** A process and the one that has started it. */
type Link = readonly [child: number, parent: number];

/** The links from a process up to the topmost package manager that it was started through; none without one. */
async function runnersAbove(pid: number): Promise<Link[]> {
  const links: Link[] = [];
  let known = 0;
  let child = pid;
  for (;;) {
    const parent = (await lookAt(child))?.parent ?? 0;
    const above = parent > 1 ? await lookAt(parent) : null;
    const isManager = above !== null && MANAGER.test(above.command);
    if (above === null || !(isManager || SHELL.test(above.command))) return links.slice(0, known);
    links.push([child, parent]);
    if (isManager) known = links.length;
    child = parent;
  }
}

/** A child whose parent has ended gets another. */
async function isWhole(chain: readonly Link[]): Promise<boolean> {
  for (const [child, parent] of chain) {
    if ((await lookAt(child))?.parent !== parent) return false;
  }
  return true;
}

async function lookAt(pid: number): Promise<Process | null> {
  try {
    return existsSync('/proc/self/stat') ? await lookInProc(pid) : await askPs(pid);
  } catch {
    // It has ended.
    return null;
  }
}

async function lookInProc(pid: number): Promise<Process> {
  const stat = await readFile(`/proc/${String(pid)}/stat`, 'utf8');
  // The name in brackets may hold anything; the state and the parent follow it.
  const [, parent = ''] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const command = await readFile(`/proc/${String(pid)}/cmdline`, 'utf8');
  return { parent: Number(parent), command: command.replaceAll('\0', ' ').trim() };
}

async function askPs(pid: number): Promise<Process> {
  const { stdout } = await promisify(execFile)('ps', ['-o', 'ppid=,args=', '-p', String(pid)]);
  const [, parent = '', command = ''] = /^\s*(\d+)\s+(.*)/s.exec(stdout) ?? [];
  return { parent: Number(parent), command: command.trim() };
}
