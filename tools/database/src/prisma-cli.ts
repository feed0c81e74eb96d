import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { join } from 'node:path';
import { commandEnvironment } from './env.ts';
import { MigrateError, messageOf } from './errors.ts';
import type { Project } from './project.ts';

export interface PrismaRun {
  readonly exitCode: number;
  /** All that it said, on either stream. */
  readonly output: string;
}

export interface PrismaOptions {
  readonly url: string;
  /** `pass` shows the CLI's output as it comes; `keep` only keeps it. */
  readonly output: 'pass' | 'keep';
}

const FORWARDED: NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/**
 * Runs the real Prisma CLI on a database. Signals that reach this process are passed on, so that the CLI ends in its own
 * way and this process after it.
 *
 * @throws {MigrateError} CLI_ABSENT
 */
export async function runPrisma(
  project: Project,
  args: readonly string[],
  options: PrismaOptions,
): Promise<PrismaRun> {
  const command = join(project.root, 'node_modules', '.bin', 'prisma');
  const child = spawn(command, [...args, '--config', project.config], {
    cwd: project.root,
    env: commandEnvironment(project.root, options.url),
    stdio: ['inherit', 'pipe', 'pipe'],
  });
  const chunks: Buffer[] = [];
  const collect = (shown: NodeJS.WriteStream) => (chunk: Buffer) => {
    chunks.push(chunk);
    if (options.output === 'pass') shown.write(chunk);
  };
  child.stdout.on('data', collect(process.stdout));
  child.stderr.on('data', collect(process.stderr));

  const forward = (signal: NodeJS.Signals): void => void child.kill(signal);
  for (const signal of FORWARDED) process.on(signal, forward);
  try {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    child.on('error', reject);
    child.on('close', (code, signal) =>
      resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])),
    );
    const exitCode = await promise;
    return { exitCode, output: Buffer.concat(chunks).toString('utf8') };
  } catch (cause) {
    throw new MigrateError('CLI_ABSENT', `${messageOf(cause)}. Install the dependencies (pnpm install).`, {
      cause,
    });
  } finally {
    for (const signal of FORWARDED) process.off(signal, forward);
  }
}
