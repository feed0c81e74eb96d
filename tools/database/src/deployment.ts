import { withConnection } from './connection.ts';
import { MigrateError } from './errors.ts';
import { awaitMigrationLock } from './migration-lock.ts';
import { runPrisma } from './prisma-cli.ts';
import type { PrismaRun } from './prisma-cli.ts';
import type { Project } from './project.ts';

export interface DeployOptions {
  readonly project: Project;
  readonly url: string;
  /** Whether the CLI's output is shown as it comes or only kept. */
  readonly output: 'pass' | 'keep';
  /** For how long to wait and try again when another deployer has the lock. */
  readonly patienceMilliseconds?: number;
  /** Called while another deployer is waited for, again and again, with a description of the session that has the lock. */
  readonly onWait?: (holder: string) => void;
}

/** Longer than any migration that is run while a service waits for it. */
const DEFAULT_PATIENCE = 15 * 60_000;

/**
 * Brings a database to the newest migration with the real `prisma migrate deploy`. Prisma waits ten seconds for another
 * deployer without a word and then fails with P1002; this waits before it, and says for whom.
 *
 * @returns the CLI's last run, with its exit code
 * @throws {MigrateError} MIGRATIONS_LOCKED when another deployer has not finished in time
 */
export async function deploy(options: DeployOptions): Promise<PrismaRun> {
  const { project, url, output, patienceMilliseconds = DEFAULT_PATIENCE } = options;
  const end = Date.now() + patienceMilliseconds;
  for (;;) {
    await waitForOthers(url, { waitMilliseconds: Math.max(0, end - Date.now()), onWait: options.onWait });
    const run = await runPrisma(project, ['migrate', 'deploy'], { url, output });
    if (!isLockedOut(run) || Date.now() >= end) return run;
  }
}

async function waitForOthers(
  url: string,
  lock: { waitMilliseconds: number; onWait: DeployOptions['onWait'] },
): Promise<void> {
  try {
    await withConnection(url, (client) => awaitMigrationLock(client, lock));
  } catch (error) {
    // Without a database nobody migrates it, and of all else Prisma has its own words.
    const isOurs = error instanceof MigrateError && error.code === 'MIGRATIONS_LOCKED';
    if (isOurs || !(error instanceof MigrateError)) throw error;
  }
}

// P1002 also stands for a server that does not answer in time, where waiting is the operator's decision.
function isLockedOut({ exitCode, output }: PrismaRun): boolean {
  return exitCode !== 0 && output.includes('P1002') && output.includes('advisory lock');
}
