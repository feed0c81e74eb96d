import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { open, readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Account } from '@repo/postgres/account';
import { endProcess, guardProcess } from '@repo/testing/processes';
import type { Place } from './network.ts';

/** A program of the cluster that can be started again, in its place. */
export interface Member {
  readonly place: Place;
  /** Where its files are; its output goes to `log` in it. */
  readonly folder: string;
  start(): Promise<void>;
  /** Ends it in order. */
  stop(): Promise<void>;
  /** The numbers of its processes: `server` for PostgreSQL alone, without its Patroni. */
  pids(which: 'all' | 'server'): Promise<number[]>;
}

export interface MemberOptions {
  readonly place: Place;
  readonly folder: string;
  readonly account: Account | undefined;
  readonly command: readonly string[];
}

/** What the programs see of the environment. */
const ENVIRONMENT = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C', TZ: 'UTC' };

export function createMember({ place, folder, account, command }: MemberOptions): Member {
  let child: ChildProcess | null = null;
  const asAccount =
    account === undefined
      ? []
      : ['setpriv', `--reuid=${String(account.uid)}`, `--regid=${String(account.gid)}`, '--clear-groups'];
  const [program = '', ...parameters] = [...place.prefix, ...asAccount, ...command];
  return {
    place,
    folder,
    async start() {
      const log = await open(join(folder, 'log'), 'a');
      try {
        // In a session of its own, where Ctrl-C on the terminal does not reach it.
        const started = spawn(program, parameters, {
          cwd: '/',
          env: ENVIRONMENT,
          stdio: ['ignore', log.fd, log.fd],
          detached: true,
        });
        started.on('error', () => undefined);
        const guard = guardProcess(started.pid);
        started.on('exit', () => guard.release());
        child = started;
      } finally {
        await log.close();
      }
    },
    async stop() {
      if (child?.pid !== undefined) await endProcess(child);
    },
    async pids(which) {
      const parents = await parentsOfAll();
      const postmaster = Number((await readText(join(folder, 'data/postmaster.pid'))).split('\n')[0]);
      const roots = [which === 'all' ? child?.pid : undefined, postmaster];
      return roots.flatMap((root) => (root !== undefined && parents.has(root) ? below(root, parents) : []));
    },
  };
}

/** A process and all that came of it. */
function below(root: number, parents: ReadonlyMap<number, number>): number[] {
  const children = [...parents].filter(([, parent]) => parent === root).map(([pid]) => pid);
  return [root, ...children.flatMap((pid) => below(pid, parents))];
}

async function parentsOfAll(): Promise<Map<number, number>> {
  const names = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const rows = await Promise.all(
    names.map(async (name): Promise<readonly [number, number]> => {
      // The name of a program is in parentheses and may hold anything; the parent is the second word behind it.
      const stat = await readText(`/proc/${name}/stat`);
      return [Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])];
    }),
  );
  return new Map(rows);
}

/** Nothing when the process has ended meanwhile. */
async function readText(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}

export function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch {
      // It has ended by itself meanwhile.
    }
  }
}
