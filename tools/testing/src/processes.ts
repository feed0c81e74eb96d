import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

/** Ends a process when this one has ended without stopping it, as after SIGKILL. */
export interface Guard {
  /** The process has ended, or is about to: there is nothing to guard any more. */
  release(): void;
}

// It reads from a pipe whose only other end is in this process.
const SCRIPT = 'read -r released || kill -TERM "$1" 2>/dev/null';

export function guardProcess(pid: number | undefined): Guard {
  if (pid === undefined) return { release: () => undefined };
  const guard = spawn('/bin/sh', ['-c', SCRIPT, 'guard', String(pid)], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  // Without a shell, or when it is gone already, there is no guard; the process is stopped in the usual way.
  guard.on('error', () => undefined);
  guard.stdin.on('error', () => undefined);
  guard.unref();
  return {
    release: () => {
      guard.stdin.end('released\n');
    },
  };
}

const READY_WITHIN_MS = 120_000;

/** Waits until the URL answers 200; false when the process has ended, two minutes are over, or `stop` is aborted. */
export async function untilServing(child: ChildProcess, url: string, stop?: AbortSignal): Promise<boolean> {
  const until = Date.now() + READY_WITHIN_MS;
  const isWaiting = () => isRunning(child) && Date.now() < until && stop?.aborted !== true;
  while (isWaiting()) {
    if (await isServing(url)) return true;
    await sleep(50);
  }
  return false;
}

async function isServing(url: string): Promise<boolean> {
  try {
    const response = await fetch(url);
    await response.arrayBuffer();
    return response.status === 200;
  } catch {
    // Refused: it does not listen yet.
    return false;
  }
}

/** Ends a process, by default in order, and waits until it has ended; its exit code. */
export async function endProcess(
  child: ChildProcess,
  signal: NodeJS.Signals = 'SIGTERM',
): Promise<number | null> {
  if (isRunning(child)) {
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  }
  return child.exitCode;
}

function isRunning({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode === null && signalCode === null;
}
