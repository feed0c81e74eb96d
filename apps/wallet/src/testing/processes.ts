import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { bareEnvironment } from '@repo/testing/env';

const main = fileURLToPath(new URL('../main.ts', import.meta.url));

/** The service as a process of its own, for the tests of what only a process can show. */
export interface ServiceProcess {
  readonly child: ChildProcess;
  /** Empty when it does not listen yet. */
  readonly url: string;
  /** The log up to the line that was waited for. */
  readonly log: string;
}

/** Starts the service with nothing but this environment. */
export function spawnService(env: Readonly<Record<string, string>>, errors: 'inherit' | 'pipe' = 'inherit') {
  return spawn(process.execPath, [main], {
    env: { ...bareEnvironment(), ...env },
    stdio: ['ignore', 'pipe', errors],
  });
}

/** Starts the service on a free port and waits for a line of its log, by default that it listens. */
export async function startProcess(
  env: Readonly<Record<string, string>>,
  until = 'Server listening at',
): Promise<ServiceProcess> {
  const child = spawnService({ WALLET_PORT: '0', ...env });
  if (child.stdout === null) throw new Error('the process has no output');
  let log = '';
  for await (const line of createInterface(child.stdout)) {
    log += `${line}\n`;
    if (line.includes(until)) break;
  }
  if (!log.includes(until)) throw new Error(`the service ended before it said "${until}":\n${log}`);
  child.stdout.resume();
  return { child, log, url: /Server listening at (http:[^"]+)/.exec(log)?.[1] ?? '' };
}

/** Ends a process, by default in order; its exit code and signal. */
export async function endProcess(
  child: ChildProcess,
  signal: NodeJS.Signals = 'SIGTERM',
): Promise<unknown[]> {
  if (child.exitCode !== null || child.signalCode !== null) return [child.exitCode, child.signalCode];
  const exit = once(child, 'exit');
  child.kill(signal);
  return exit;
}
