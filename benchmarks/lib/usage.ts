import { readFile, readdir } from 'node:fs/promises';
import { cpus } from 'node:os';

/** Whose processor time is read. `machine` is everything together, what others do on it included. */
export const CPU_USERS = ['postgres', 'senders', 'provider', 'machine'] as const;

/** Seconds of processor time that were used up, since a process or the machine began. */
export type CpuTime = Readonly<Record<(typeof CPU_USERS)[number], number>>;

export interface CpuPids {
  /** Of the server; what its backends use counts as its own, also of those that have ended. */
  readonly postgres: number;
  readonly senders: readonly number[];
  readonly provider: number;
}

/** Linux counts in hundredths of a second here, whatever its clock is. */
const TICKS = 100;

/** The processor time so far; of processes NaN where there is no Linux, which alone says it in this way. */
export async function readCpuTime(pids: CpuPids): Promise<CpuTime> {
  const stats = process.platform === 'linux' ? await readStats() : [];
  const sum = (times: readonly number[]) => times.reduce((total, time) => total + time, 0);
  const own = (pid: number) => stats.find((stat) => stat.pid === pid)?.own ?? Number.NaN;
  const ended = stats.find((stat) => stat.pid === pids.postgres)?.ended ?? Number.NaN;
  const backends = stats.filter(({ parent }) => parent === pids.postgres);
  return {
    postgres: own(pids.postgres) + ended + sum(backends.map((backend) => backend.own)),
    senders: sum(pids.senders.map(own)),
    provider: own(pids.provider),
    machine: sum(cpus().map(({ times }) => (times.user + times.nice + times.sys + times.irq) / 1_000)),
  };
}

/** How many cores each kept busy between two readings. */
export function coresUsed(from: CpuTime, to: CpuTime, seconds: number): CpuTime {
  const cores = CPU_USERS.map((user) => [user, (to[user] - from[user]) / seconds]);
  return Object.fromEntries(cores) as CpuTime;
}

/** The memory of another process in MiB, now and at most; NaN where there is no Linux. */
export async function readMemory(pid: number): Promise<{ readonly now: number; readonly peak: number }> {
  const status = process.platform === 'linux' ? await readFile(`/proc/${String(pid)}/status`, 'utf8') : '';
  const mib = (field: string) =>
    Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) / 1_024;
  return { now: mib('VmRSS'), peak: mib('VmHWM') };
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
    const ticks = (first: number) => (Number(fields[first - 3]) + Number(fields[first - 2])) / TICKS;
    return { pid: Number(name), parent: Number(fields[1]), own: ticks(14), ended: ticks(16) };
  } catch {
    // It has ended since its name was read.
    return null;
  }
}
