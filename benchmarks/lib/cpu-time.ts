import { readFile, readdir } from 'node:fs/promises';
import { cpus } from 'node:os';

/** Seconds of processor time that were used up, since a process or the machine began. */
export type CpuTime = Readonly<Record<CpuUser, number>>;

/** `machine` is everything together, what others do on it included. */
type CpuUser = 'postgres' | 'senders' | 'provider' | 'machine';

export interface CpuPids {
  /** Of the server; what its backends use counts as its own, also of those that have ended. */
  readonly postgres: number;
  readonly senders: readonly number[];
  readonly provider: number;
}

/** Linux counts in hundredths of a second here, whatever its clock is. */
const TICKS = 100;

/** The processor time so far; of processes NaN where the system does not tell as Linux does. */
export async function readCpuTime(pids: CpuPids): Promise<CpuTime> {
  const stats = process.platform === 'linux' ? await readStats() : [];
  const own = (pid: number) => stats.find((stat) => stat.pid === pid)?.own ?? Number.NaN;
  const server = stats.find((stat) => stat.pid === pids.postgres);
  const backends = stats.filter(({ parent }) => parent === pids.postgres);
  return {
    postgres:
      server === undefined
        ? Number.NaN
        : backends.reduce((sum, each) => sum + each.own, server.own + server.ended),
    senders: pids.senders.reduce((sum, pid) => sum + own(pid), 0),
    provider: own(pids.provider),
    machine: cpus().reduce(
      (sum, { times }) => sum + (times.user + times.nice + times.sys + times.irq) / 1_000,
      0,
    ),
  };
}

/** How many cores each kept busy between two readings. */
export function coresUsed(from: CpuTime, to: CpuTime, seconds: number): CpuTime {
  const cores = (user: CpuUser) => (to[user] - from[user]) / seconds;
  return {
    postgres: cores('postgres'),
    senders: cores('senders'),
    provider: cores('provider'),
    machine: cores('machine'),
  };
}

interface Stat {
  readonly pid: number;
  readonly parent: number;
  readonly own: number;
  /** Of children that have ended. */
  readonly ended: number;
}

async function readStats(): Promise<Stat[]> {
  const names = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  return (await Promise.all(names.map(readStat))).filter((stat) => stat !== null);
}

async function readStat(name: string): Promise<Stat | null> {
  try {
    const text = await readFile(`/proc/${name}/stat`, 'utf8');
    // The program's name comes second, in brackets, and may hold anything; proc(5) numbers what follows from 3 on.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    const field = (number: number) => Number(fields[number - 3]);
    return {
      pid: Number(name),
      parent: field(4),
      own: (field(14) + field(15)) / TICKS,
      ended: (field(16) + field(17)) / TICKS,
    };
  } catch {
    // It has ended since its name was read.
    return null;
  }
}
