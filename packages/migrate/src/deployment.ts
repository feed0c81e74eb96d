import { runPrisma } from './prisma-cli.ts';
import type { PrismaRun } from './prisma-cli.ts';
import type { Project } from './project.ts';

export type DeployOptions = {
  project: Project;
  url: string;
  /** Whether the CLI's output is shown as it comes or only kept. */
  output: 'pass' | 'keep';
  /** For how long to try again when another deployer has the lock. */
  patienceMilliseconds?: number;
  /** Called before each new attempt. */
  onRetry?: () => void;
};

/** Longer than any migration that is run while a service waits for it. */
const defaultPatience = 15 * 60_000;

/**
 * Brings a database to the newest migration with the real `prisma migrate deploy`. Prisma waits ten seconds for another
 * deployer and then fails with P1002; this tries again until the other has finished.
 *
 * @returns the CLI's last run, with its exit code
 */
export async function deploy(options: DeployOptions): Promise<PrismaRun> {
  const { project, url, output, patienceMilliseconds = defaultPatience } = options;
  const end = Date.now() + patienceMilliseconds;
  for (;;) {
    const run = await runPrisma(project, ['migrate', 'deploy'], { url, output });
    if (!isLockedOut(run) || Date.now() >= end) return run;
    options.onRetry?.();
  }
}

// P1002 also stands for a server that does not answer in time, where waiting is the operator's decision.
function isLockedOut({ exitCode, output }: PrismaRun): boolean {
  return exitCode !== 0 && output.includes('P1002') && output.includes('advisory lock');
}
