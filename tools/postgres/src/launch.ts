import { open, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Account } from './account.ts';
import type { Binaries } from './binaries.ts';
import { PostgresError, codeOf } from './errors.ts';
import { type Kept, keep } from './keeper.ts';
import { type Lease, createLease } from './lease.ts';
import { findFreePort } from './port.ts';
import { type Postmaster, findPostmaster, hasMisleadingPidFile } from './postmaster.ts';
import { isServed, poll } from './processes.ts';

/** A server that this process started. */
export interface Launched {
  readonly postmaster: Postmaster;
  readonly lease: Lease;
  readonly kept: Kept;
}

interface LaunchOptions {
  readonly account: Account | undefined;
  readonly binaries: Binaries;
  readonly durable: boolean;
  readonly port: number | undefined;
  /** The port to take if it is free. */
  readonly preferredPort?: number | undefined;
  readonly settings: Readonly<Record<string, string>> | undefined;
}

/** Recovery after a crash replays up to a gigabyte of log before the server is ready. */
const START_MILLISECONDS = 120_000;

/** For so long a start is tried again whose failure passes: a busy machine takes its time to end a killed server. */
const PATIENCE_MILLISECONDS = 120_000;

const PAUSE_MILLISECONDS = 250;

/** A pid file that is still empty after so many attempts is nobody's who is about to write it. */
const EMPTY_ATTEMPTS = 5;

const LARGEST_LOG = 8 * 1024 * 1024;

/** Starts a server on a cluster and waits until it accepts connections. */
export async function launch(directory: string, options: LaunchOptions): Promise<Launched> {
  const deadline = performance.now() + PATIENCE_MILLISECONDS;
  let preferred = options.port ?? options.preferredPort;
  for (let attempt = 1; ; attempt += 1) {
    const port = preferred ?? (await findFreePort());
    const outcome = await launchOn(port, directory, options);
    if ('postmaster' in outcome) return outcome;
    if (outcome.reason === 'port') preferred = options.port;
    const passes =
      performance.now() < deadline && (await mayPass(outcome, attempt, { directory, ...options }));
    if (!passes) throw failure(directory, { ...outcome, port });
  }
}

/** Whether another attempt may succeed; what stands in its way is removed or waited for. */
async function mayPass(
  { reason }: Failure,
  attempt: number,
  { directory, port }: LaunchOptions & { directory: string },
): Promise<boolean> {
  if (reason === 'port') {
    // Another program took the port after it was found to be free.
    return port === undefined;
  }
  if (reason === 'running') {
    // The server takes any process of its account that has the number in the pid file for a server.
    if (!(await hasMisleadingPidFile(directory))) return false;
    await removePidFile(directory);
    return true;
  }
  if (reason === 'other') return false;
  await delay(PAUSE_MILLISECONDS);
  if (reason === 'empty' && attempt > EMPTY_ATTEMPTS && (await isNobodys(pidFile(directory), directory))) {
    await removePidFile(directory);
  }
  return true;
}

/** Another server may be about to write it, and be kept waiting by a busy machine. */
async function isNobodys(path: string, directory: string): Promise<boolean> {
  return !(await isServed(directory)) && (await sizeOf(path)) === 0;
}

async function removePidFile(directory: string): Promise<void> {
  await rm(pidFile(directory), { force: true });
}

function pidFile(directory: string): string {
  return join(directory, 'postmaster.pid');
}

interface Failure {
  readonly reason: 'running' | 'port' | 'lingering' | 'empty' | 'other';
  readonly log: string;
}

async function launchOn(
  port: number,
  directory: string,
  options: LaunchOptions,
): Promise<Launched | Failure> {
  const log = await openLog(directory, options.account);
  const { size } = await log.stat();
  const lease = await createLease(directory, options.account);
  try {
    const kept = await keep(lease, {
      account: options.account,
      program: join(options.binaries.directory, 'postgres'),
      directory,
      settings: [...settings(port, options.durable), ...furtherSettings(options.settings)],
      log: log.fd,
    });
    const postmaster = await waitUntilReady(kept, { directory, port });
    if (postmaster !== undefined) return { postmaster, lease, kept };
  } catch (error) {
    lease.release();
    throw error;
  } finally {
    await log.close();
  }
  lease.release();
  return diagnose((await readFile(logPath(directory))).subarray(size).toString('utf8'));
}

async function waitUntilReady(
  kept: Kept,
  { directory, port }: { directory: string; port: number },
): Promise<Postmaster | undefined> {
  const outcome = await poll(async () => {
    if (kept.isDown()) return 'down';
    const found = await findPostmaster(directory);
    return found?.ready === true && found.port === port ? found : undefined;
  }, START_MILLISECONDS);
  return outcome === 'down' ? undefined : outcome;
}

function settings(port: number, durable: boolean): string[] {
  return [
    'listen_addresses=127.0.0.1',
    `port=${port}`,
    // TCP alone is enough, and the path of a Unix socket may be about a hundred bytes long at most.
    'unix_socket_directories=',
    'max_connections=200',
    'timezone=UTC',
    'log_timezone=UTC',
    // A crash of the server loses nothing either way; without fsync a crash of the machine does. The services refuse
    // such a server unless it says of itself that it may be thrown away.
    ...(durable ? [] : ['fsync=off', 'full_page_writes=off', 'daftari.disposable=on']),
  ];
}

// If a setting is given twice, the server takes the last one.
function furtherSettings(further: Readonly<Record<string, string>> = {}): string[] {
  return Object.entries(further).map(([name, value]) => `${name}=${value}`);
}

function logPath(directory: string): string {
  return join(directory, 'server.log');
}

async function openLog(directory: string, account: Account | undefined) {
  const path = logPath(directory);
  if ((await sizeOf(path)) > LARGEST_LOG) await rename(path, `${path}.1`);
  const log = await open(path, 'a', 0o600);
  // Who owns the data owns its log, so that they can go on with it when root is not there.
  if (account !== undefined) await log.chown(account.uid, account.gid);
  return log;
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return 0;
    throw error;
  }
}

/** The server says why it does not start in its log only. LC_ALL=C keeps these sentences English. */
function diagnose(log: string): Failure {
  if (log.includes('lock file "postmaster.pid" already exists')) return { reason: 'running', log };
  if (log.includes('could not create any TCP/IP sockets')) return { reason: 'port', log };
  if (log.includes('pre-existing shared memory block')) return { reason: 'lingering', log };
  // Another server is in the middle of writing it, or the machine stopped when one was.
  if (log.includes('lock file "postmaster.pid" is empty')) return { reason: 'empty', log };
  return { reason: 'other', log };
}

function failure(directory: string, { reason, log, port }: Failure & { port: number }): PostgresError {
  if (reason === 'running') {
    return new PostgresError(
      'ALREADY_RUNNING',
      `stop the server in ${directory} first, or name another folder.`,
    );
  }
  if (reason === 'port') {
    return new PostgresError(
      'START_FAILED',
      `port ${port} is taken. Leave the port out, and a free one is found.`,
    );
  }
  const end = log.trim().split('\n').slice(-10).join('\n');
  return new PostgresError('START_FAILED', `the log ${logPath(directory)} ends with:\n${end}`);
}
