import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { endProcess, guardProcess, untilServing } from '@repo/testing/processes';
import { ROOT } from './env.ts';
import type { Settings } from './env.ts';
import { CommandError } from './errors.ts';

/** A service as a process of its own. */
export interface Service {
  readonly url: string;
  /** Asks it to stop and waits until it has. */
  stop(): Promise<void>;
  /** Ends it where it stands, as a crash would. */
  kill(): Promise<void>;
}

/** In a session of its own, where Ctrl-C on the terminal does not reach it: it is stopped in its turn, and once. */
const APART = { detached: true } as const;

/**
 * Runs one of the repository's scripts on a database and returns what it printed.
 *
 * @throws {CommandError} program_failed, with what it printed
 */
export async function runScript(settings: Settings, path: string, databaseUrl: string): Promise<string> {
  const { code, printed } = await runNode(settings, [join(ROOT, path)], databaseUrl);
  settings.stop.throwIfAborted();
  if (code !== 0) throw new CommandError('program_failed', `${path} ended with ${String(code)}.\n${printed}`);
  return printed;
}

/** Runs Node with these arguments to its end. */
export async function runNode(
  settings: Settings,
  parameters: readonly string[],
  databaseUrl?: string,
): Promise<{ readonly code: number | null; readonly printed: string }> {
  const child = spawn(process.execPath, [...parameters], {
    cwd: ROOT,
    env: { ...settings.inherited, ...(databaseUrl === undefined ? {} : { DATABASE_URL: databaseUrl }) },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...APART,
    signal: settings.stop,
  });
  child.on('error', () => undefined);
  const guard = guardProcess(child.pid);
  const printed: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => printed.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => printed.push(chunk));
  const { promise, resolve } = Promise.withResolvers<number | null>();
  child.on('close', resolve);
  const code = await promise;
  guard.release();
  return { code, printed: Buffer.concat(printed).toString('utf8') };
}

export interface ServiceOptions {
  /** A folder of `apps/`. */
  readonly app: string;
  readonly port: string;
  /** Answers 200 as soon as the service can be used. Default: /health/ready. */
  readonly readyPath?: string;
  /** Further settings of this service. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Where its log goes; nowhere when absent. */
  readonly log?: NodeJS.WritableStream;
}

/** Starts a service and waits until it is ready. */
export async function startService(
  settings: Settings,
  databaseUrl: string,
  options: ServiceOptions,
): Promise<Service> {
  const child = spawn(process.execPath, ['src/main.ts'], {
    cwd: join(ROOT, 'apps', options.app),
    env: {
      ...settings.inherited,
      DATABASE_URL: databaseUrl,
      API_KEY: settings.apiKey,
      MPESA_CALLBACK_TOKEN: settings.callbackToken,
      [`${options.app.toUpperCase().replaceAll('-', '_')}_PORT`]: options.port,
      // The simulator calls from this machine, which is no address of M-PESA.
      MPESA_SOURCE_CHECK: 'off',
      ...options.environment,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...APART,
  });
  const guard = guardProcess(child.pid);
  child.once('exit', () => guard.release());
  const log: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => (options.log ? options.log.write(chunk) : log.push(chunk)));
  }
  const url = `http://127.0.0.1:${options.port}`;
  const readyUrl = url + (options.readyPath ?? '/health/ready');
  const end = async (signal: NodeJS.Signals) => void (await endProcess(child, signal));
  if (await untilServing(child, readyUrl, settings.stop)) {
    return { url, stop: () => end('SIGTERM'), kill: () => end('SIGKILL') };
  }
  await end('SIGKILL');
  settings.stop.throwIfAborted();
  const said = Buffer.concat(log).toString('utf8') || 'see its log above.';
  throw new CommandError('service_not_ready', `${options.app} at ${readyUrl}; ${said}`);
}

interface Stoppable {
  stop(): Promise<void>;
}

/** Waits for all that is being started. When one of them fails the others are stopped, and its error is thrown. */
export async function startTogether<const Starting extends readonly Promise<Stoppable>[]>(
  starting: Starting,
): Promise<{ -readonly [Place in keyof Starting]: Awaited<Starting[Place]> }> {
  try {
    return await Promise.all(starting);
  } catch (error) {
    const outcomes = await Promise.allSettled<Stoppable>(starting);
    await Promise.all(
      outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value.stop()] : [])),
    );
    throw error;
  }
}

/** A port that nobody listens on at this moment. */
export async function freePort(): Promise<string> {
  const [port = ''] = await freePorts(1);
  return port;
}

/** Several such ports, no two the same. */
export async function freePorts(count: number): Promise<string[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => String((server.address() as AddressInfo).port));
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return ports;
}
