import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { guardProcess } from '@repo/testing/processes';
import type { Answers, Orders } from './generator.ts';

/** What was measured while one number of senders sent. */
export interface Phase extends Answers {
  readonly name: string;
  readonly connections: number;
  /** MiB of the service after the window. */
  readonly memory: number;
  /** Processor time of the service for a request, all its threads; microseconds. */
  readonly cpu: number;
}

/** Lets a process of its own send, and watches the service meanwhile. The memory is read on Linux only. */
export async function send(name: string, pid: number, orders: Orders): Promise<Phase> {
  const child = fork(join(import.meta.dirname, 'generator.ts'));
  const guard = guardProcess(child.pid);
  try {
    const before = await readProcessor(pid);
    child.send(orders);
    const [answers] = (await once(child, 'message')) as [Answers];
    const used = (await readProcessor(pid)) - before;
    const memory = await readMemory(pid);
    const cpu = used / (answers.next - orders.from);
    return { ...answers, name, connections: orders.connections, memory, cpu };
  } finally {
    child.kill();
    guard.release();
  }
}

/** MiB that a process holds; NaN where there is no Linux. */
async function readMemory(pid: number): Promise<number> {
  const status = await readFile(`/proc/${String(pid)}/status`, 'utf8').catch(() => '');
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 1_024;
}

/** Linux counts in hundredths of a second. */
const TICK_US = 10_000;

/** Microseconds of processor time that a process has used; NaN where there is no Linux. */
async function readProcessor(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${String(pid)}/stat`, 'utf8').catch(() => '');
  // Its name stands in parentheses and may hold spaces; the times are the 12th and 13th words behind it.
  const words = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(words[11]) + Number(words[12])) * TICK_US;
}
