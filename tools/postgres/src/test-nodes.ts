import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startCitus } from './citus.ts';
import type { CitusCluster } from './citus.ts';
import { commandEnvironment } from './env.ts';
import { migrateDatabase } from './migrations.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');

/** A migrated database that is distributed over a coordinator and workers. */
export interface TestNodes extends CitusCluster {
  /** Of the coordinator and of each worker. */
  readonly urls: readonly [string, ...string[]];
}

/** Starts a server for each node, and distributes a migrated database over them. */
export async function startTestNodes(
  workers: number,
  settings: Readonly<Record<string, string>> = NO_SEARCH,
): Promise<TestNodes> {
  const cluster = await startCitus({ workers, settings });
  try {
    await migrateDatabase(ROOT, cluster.url);
    await promisify(execFile)(process.execPath, [join(ROOT, 'tools/database/src/distribute.ts')], {
      cwd: ROOT,
      env: commandEnvironment(join(ROOT, 'node_modules', '.bin'), {
        DATABASE_URL: cluster.url,
        CITUS_WORKERS: cluster.workers.map(({ port }) => `127.0.0.1:${String(port)}`).join(),
      }),
    });
  } catch (error) {
    await cluster.stop();
    throw error;
  }
  return { ...cluster, urls: [cluster.url, ...cluster.workerUrls] };
}

/** Who waits in a circle over nodes waits until the statement's time is up, and is not found and set free before. */
const NO_SEARCH = { 'citus.distributed_deadlock_detection_factor': '-1' };
