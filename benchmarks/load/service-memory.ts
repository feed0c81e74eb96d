import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

const SAMPLE_EVERY_MS = 250;

/** Watches how much of the machine's memory another process takes up, in MiB. */
export interface MemoryWatch {
  now(): Promise<number>;
  /** The most it ever had; where the system does not keep that, the most that was seen since the watch began. */
  peak(): Promise<number>;
  stop(): void;
}

export function watchMemory(pid: number): MemoryWatch {
  return process.platform === 'linux' ? watchKernel(pid) : watchSamples(pid);
}

/** Linux keeps the high-water mark of every process itself: no peak between two looks is missed. */
function watchKernel(pid: number): MemoryWatch {
  const read = async (field: 'VmRSS' | 'VmHWM') => {
    const status = await readFile(`/proc/${String(pid)}/status`, 'utf8');
    return Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) / 1_024;
  };
  return { now: () => read('VmRSS'), peak: () => read('VmHWM'), stop: () => undefined };
}

function watchSamples(pid: number): MemoryWatch {
  let highest = 0;
  const now = async () => {
    const { stdout } = await run('ps', ['-o', 'rss=', '-p', String(pid)]);
    const used = Number(stdout.trim()) / 1_024;
    highest = Math.max(highest, used);
    return used;
  };
  // A process that has just ended has no memory to report; whoever ends it asks no more.
  const timer = setInterval(() => void now().catch(() => undefined), SAMPLE_EVERY_MS);
  return {
    now,
    async peak() {
      await now();
      return highest;
    },
    stop: () => clearInterval(timer),
  };
}
