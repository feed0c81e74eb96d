import { readFile, readdir } from 'node:fs/promises';

/** Milliseconds on a processor so far, by process. */
export type ProcessorTimes = ReadonlyMap<string, number>;

/**
 * Processor time of a server and its processes: steadier than the clock on a machine that does other work. Nothing where
 * Linux's /proc is missing.
 */
export async function readProcessorTimes(server: number): Promise<ProcessorTimes> {
  const names = await readdir('/proc').catch(() => []);
  const times = await Promise.all(
    names
      .filter((name) => /^\d+$/.test(name))
      .map(async (name) => [name, await timeOf(name, server)] as const),
  );
  return new Map(times.flatMap(([name, time]) => (time === undefined ? [] : [[name, time]])));
}

/** Milliseconds between two readings, without processes that had ended by the second; NaN where nothing was read. */
export function spentBetween(before: ProcessorTimes, after: ProcessorTimes): number {
  if (after.size === 0) return Number.NaN;
  return [...after].reduce((sum, [name, time]) => sum + time - (before.get(name) ?? 0), 0);
}

/** Nanoseconds on a processor are the first number of schedstat. Undefined for other processes than the server's. */
async function timeOf(name: string, server: number): Promise<number | undefined> {
  try {
    const status = await readFile(`/proc/${name}/status`, 'utf8');
    const parent = Number(/^PPid:\s*(\d+)/m.exec(status)?.[1]);
    if (parent !== server && Number(name) !== server) return undefined;
    const [spent] = (await readFile(`/proc/${name}/schedstat`, 'utf8')).split(' ');
    return Number(spent) / 1e6;
  } catch {
    // It has ended meanwhile.
    return undefined;
  }
}
