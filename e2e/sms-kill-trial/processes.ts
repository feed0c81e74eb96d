import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { smsSettings } from '@repo/simulator';
import { bareEnvironment } from '@repo/testing/env';
import { endProcess, guardProcess } from '@repo/testing/processes';
import { ROOT } from '../env.ts';

/** A process of the trial that says on its standard output where it listens. */
export interface TrialProcess {
  /** Where it listens, once it does; empty when it ended before. */
  readonly url: Promise<string>;
  /** Ends it in order; its exit code. */
  stop(): Promise<number | null>;
  /** Ends it where it stands. */
  kill(): Promise<void>;
}

interface Program {
  readonly path: string;
  readonly parameters: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Sees each line of its output. */
  readonly onLine?: (line: string) => void;
}

/** Starts a program of the repository. */
export function startProgram({ path, parameters, environment, onLine }: Program): TrialProcess {
  const child = spawn(process.execPath, [join(ROOT, path), ...parameters], {
    env: { ...bareEnvironment(), ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  // A trial that is ended itself leaves no process behind.
  const guard = guardProcess(child.pid);
  child.on('exit', () => guard.release());
  return {
    url: urlOf(child, onLine),
    stop: () => endProcess(child),
    kill: async () => void (await endProcess(child, 'SIGKILL')),
  };
}

async function urlOf(child: ChildProcess, onLine?: (line: string) => void): Promise<string> {
  if (child.stdout === null) throw new Error('the process has no output');
  const { promise, resolve } = Promise.withResolvers<string>();
  createInterface(child.stdout)
    .on('line', (line) => {
      onLine?.(line);
      const url = /http:\/\/127\.0\.0\.1:\d+/.exec(line)?.[0];
      if (url !== undefined) resolve(url);
    })
    .on('close', () => resolve(''));
  return promise;
}

/** The provider of the trial. */
export function startProvider(options: {
  readonly delayMs: number;
  readonly reportUrl: string;
}): TrialProcess {
  return startProgram({
    path: 'tools/simulator/src/africas-talking/main.ts',
    parameters: ['--delay-ms', String(options.delayMs), '--report-url', options.reportUrl],
    environment: {},
  });
}

export const TRIAL_KEY = 'trial-key';
export const TRIAL_TOKEN = 'trial-token-of-24-letters';

export interface SmsServiceOptions {
  readonly databaseUrl: string;
  /** Null for a service that sends nothing. */
  readonly providerUrl: string | null;
  readonly port?: string;
  readonly concurrency?: number;
}

/** The service itself, as it runs in production. Its lease is short, so that the trial sees what comes of it. */
export function startSms(options: SmsServiceOptions): TrialProcess {
  const { databaseUrl, providerUrl, port = '0', concurrency = 16 } = options;
  return startProgram({
    path: 'apps/sms/src/main.ts',
    parameters: [],
    environment: {
      DATABASE_URL: databaseUrl,
      DATABASE_CONNECTIONS: '4',
      API_KEY: TRIAL_KEY,
      SMS_CALLBACK_TOKEN: TRIAL_TOKEN,
      SMS_PORT: port,
      SMS_SENDER: providerUrl === null ? 'off' : 'on',
      ...smsSettings(providerUrl ?? 'http://127.0.0.1:9'),
      SMS_CONCURRENCY: String(concurrency),
      SMS_TIMEOUT_SECONDS: '2',
      SMS_LEASE_SECONDS: '4',
    },
  });
}
