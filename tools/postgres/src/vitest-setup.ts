import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { shareCluster, testBinaries, testDatabaseUrl } from './env.ts';
import { chooseTemporaryDirectory, removeTemporaryDirectory } from './temporary.ts';
import { openTestServer } from './test-server.ts';

/**
 * Vitest's global setup: one server for the run (or the one of TEST_DATABASE_URL, or one from the
 * programs in TEST_POSTGRES_BINARIES) and a migrated template database that
 * test files clone. Servers that tests start beside it are copies of one cluster, which the first of them makes.
 * What it answers is the teardown, which Vitest also calls after failures.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  await using resources = new AsyncDisposableStack();
  const cluster = await chooseTemporaryDirectory();
  resources.defer(() => removeTemporaryDirectory(cluster));
  shareCluster(cluster);
  const rootDirectory = join(import.meta.dirname, '..', '..', '..');
  const { testServer, close } = await openTestServer({
    adminUrl: testDatabaseUrl(),
    binaries: testBinaries(),
    rootDirectory,
  });
  resources.defer(close);
  project.provide('postgres', testServer);
  const kept = resources.move();
  return () => kept.disposeAsync();
}
