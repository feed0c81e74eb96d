import { readFile, readdir } from 'node:fs/promises';

/**
 * Processor time of a server and its processes so far, in milliseconds: steadier than the clock on a machine that does
 * other work. NaN where Linux's /proc is missing. The time of processes that have ended is not in it.
 */
export async function readProcessorTime(pid: number): Promise<number> {
  const names = await readdir('/proc').catch(() => []);
  const times = await Promise.all(
    names.filter((name) => /^\d+$/.test(name)).map((name) => timeOf(name, pid)),
  );
  return times.length === 0 ? Number.NaN : times.reduce((sum, each) => sum + each, 0);
}

/** Nanoseconds on a processor are the first number of schedstat. Other processes than the server's count as 0. */
async function timeOf(name: string, server: number): Promise<number> {
  try {
    const status = await readFile(`/proc/${name}/status`, 'utf8');
    const parent = Number(/^PPid:\s*(\d+)/m.exec(status)?.[1]);
    if (parent !== server && Number(name) !== server) return 0;
    const [spent] = (await readFile(`/proc/${name}/schedstat`, 'utf8')).split(' ');
    return Number(spent) / 1e6;
  } catch {
    // It has ended meanwhile.
    return 0;
  }
}
