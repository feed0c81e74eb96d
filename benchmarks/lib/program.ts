import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { open, rm } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findFreePort } from '@repo/postgres/port';
import { endProcess, guardProcess, untilServing } from '@repo/testing/processes';
import { BenchmarkError } from './errors.ts';

/** The repository. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

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

/**
 * Starts a program with the settings given and nothing else, and waits until it is ready.
 *
 * @throws BenchmarkError `service_not_ready` with the end of its log
 */
export async function startProgram(program: Program): Promise<Running> {
  const { folder, script, parameters, settings, readyPath } = program;
  const [port, log] = await Promise.all([findFreePort().then(String), openLog()]);
  const child = spawn(process.execPath, [script, ...(parameters?.(port) ?? [])], {
    cwd: join(ROOT, folder),
    env: { PATH: '', ...settings?.(port) },
    stdio: ['ignore', log.fd, log.fd],
  });
  const guard = guardProcess(child.pid);
  const stop = async () => {
    await endProcess(child);
    guard.release();
    await log.close();
  };
  const url = `http://127.0.0.1:${port}`;
  if (child.pid !== undefined && (await untilServing(child, url + readyPath))) {
    return { url, pid: child.pid, [Symbol.asyncDispose]: stop };
  }
  const said = await readEnd(log);
  await stop();
  throw new BenchmarkError('service_not_ready', `${folder}. Its log ends with:\n${said}`);
}

/** A file for the log, as a service has in earnest. It has no name any more, so that nothing of it is left behind. */
async function openLog(): Promise<FileHandle> {
  const path = join(tmpdir(), `daftari-benchmark-${randomUUID()}.log`);
  const log = await open(path, 'wx+');
  await rm(path);
  return log;
}

async function readEnd(log: FileHandle): Promise<string> {
  const { size } = await log.stat();
  const length = Math.min(size, 4_096);
  const { buffer } = await log.read(Buffer.alloc(length), { position: size - length });
  return buffer.toString('utf8');
}
