import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { testBinaries, testDatabaseUrl } from './env.ts';
import { openTestServer } from './test-server.ts';

/**
 * Vitest's global setup: one server for the run (or the one of TEST_DATABASE_URL, or one from the
 * programs in TEST_POSTGRES_BINARIES) and a migrated template database that
 * test files clone. What it answers is the teardown, which Vitest also calls after failures.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const rootDirectory = join(import.meta.dirname, '..', '..', '..');
  const { testServer, close } = await openTestServer({
    adminUrl: testDatabaseUrl(),
    binaries: testBinaries(),
    rootDirectory,
  });
  project.provide('postgres', testServer);
  return close;
}
