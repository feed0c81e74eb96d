import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { open, rm } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ROOT, serviceEnvironment } from './env.ts';
import { BenchmarkError } from './errors.ts';

/** A program of this repository that listens on a port. */
export interface Program {
  /** From the repository's root. */
  readonly folder: string;
  readonly script: string;
  /** The command line and the settings that make it listen on this port. */
  readonly parameters?: (port: string) => readonly string[];
  readonly settings?: (port: string) => Readonly<Record<string, string>>;
  /** Answers 200 as soon as it can be used. */
  readonly readyPath: string;
}

/** A program as a process of its own; disposing of it asks it to stop, and waits until it has. */
export interface Running extends AsyncDisposable {
  readonly url: string;
  readonly pid: number;
}

const READY_WITHIN_MS = 120_000;

/**
 * Starts a program with the settings given and nothing else, and waits until it is ready.
 *
 * @throws BenchmarkError `service_not_ready` with the end of its log
 */
export async function startProgram(program: Program): Promise<Running> {
  const { folder, script, parameters, settings, readyPath } = program;
  const [port, log] = await Promise.all([freePort(), openLog()]);
  const child = spawn(process.execPath, [script, ...(parameters?.(port) ?? [])], {
    cwd: join(ROOT, folder),
    env: serviceEnvironment(settings?.(port) ?? {}),
    stdio: ['ignore', log.fd, log.fd],
  });
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  const stop = async () => {
    await end(child);
    process.off('exit', kill);
    await log.close();
  };
  const url = `http://127.0.0.1:${port}`;
  if (child.pid !== undefined && (await untilReady(child, url + readyPath))) {
    return { url, pid: child.pid, [Symbol.asyncDispose]: stop };
  }
  await end(child);
  const said = await readLog(log);
  await stop();
  throw new BenchmarkError('service_not_ready', `${folder}. Its log ends with:\n${said}`);
}

/** A port that nobody listens on at this moment. */
async function freePort(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await once(server.close(), 'close');
  return String(port);
}

/** A file for the log, as a service has in earnest. It has no name any more, so that nothing of it is left behind. */
async function openLog(): Promise<FileHandle> {
  const path = join(tmpdir(), `daftari-benchmark-${randomUUID()}.log`);
  const log = await open(path, 'wx+');
  await rm(path);
  return log;
}

async function readLog(log: FileHandle): Promise<string> {
  const { size } = await log.stat();
  const length = Math.min(size, 4_096);
  const { buffer } = await log.read(Buffer.alloc(length), { position: size - length });
  return buffer.toString('utf8');
}

async function untilReady(child: ChildProcess, url: string): Promise<boolean> {
  const until = Date.now() + READY_WITHIN_MS;
  while (child.exitCode === null && Date.now() < until) {
    // It is refused as long as the program does not listen.
    const response = await fetch(url).catch(() => null);
    await response?.arrayBuffer();
    if (response?.ok === true) return true;
    await sleep(50);
  }
  return false;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
}
