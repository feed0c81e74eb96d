import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startCitus, testNodes } from '@repo/postgres/citus';
import { createTestDatabase } from '@repo/postgres/testing';
import type { TestDatabase } from '@repo/postgres/testing';
import { bareEnvironment } from '@repo/testing/env';
import { migrate } from './migrate.ts';

/** A statement past the package. */
type Sql = (text: string, values?: readonly unknown[]) => Promise<Readonly<Record<string, unknown>>[]>;

/** Whether the tests of the ledger run over several nodes: TEST_NODES says how many workers. */
export const isOverNodes = testNodes() > 0;

/** How often something is done: over nodes each costs a hundred times the processor time. */
export function times(count: number): number {
  return isOverNodes ? Math.ceil(count / 12) : count;
}

/** A migrated database of the test's own, on one server or distributed over nodes, and every node that can be asked. */
export async function openDatabase(): Promise<
  Pick<TestDatabase, 'url' | 'drop'> & { readonly urls: readonly string[] }
> {
  if (isOverNodes) return openNodes();
  const { url, drop } = await createTestDatabase();
  return { url, drop, urls: [url] };
}

async function openNodes() {
  // Who waits in a circle over nodes waits until the statement's time is up, and is not found and set free before.
  const cluster = await startCitus({
    workers: testNodes(),
    settings: { 'citus.distributed_deadlock_detection_factor': '-1' },
  });
  await migrate(cluster.url);
  await promisify(execFile)(process.execPath, [DISTRIBUTE], {
    env: {
      ...bareEnvironment(),
      DATABASE_URL: cluster.url,
      CITUS_WORKERS: cluster.workers.map(({ port }) => `127.0.0.1:${String(port)}`).join(),
    },
  });
  return { url: cluster.url, urls: [cluster.url, ...cluster.workerUrls], drop: cluster.stop };
}

const DISTRIBUTE = join(import.meta.dirname, '../../../../../tools/database/src/distribute.ts');

/**
 * Asks copies of the ledger's tables, which one query can join as it likes. On one server it asks the tables.
 *
 * Nobody writes meanwhile.
 */
export function overCopies(sql: Sql): Sql {
  if (!isOverNodes) return sql;
  return async (text, values) => {
    for (const table of new Set([...text.matchAll(TABLE)].map(([name]) => name))) {
      const copy = copyOf(table);
      await sql(`DROP TABLE IF EXISTS ${copy}`);
      await sql(`CREATE TEMP TABLE ${copy} AS SELECT * FROM ${table}`);
      if (table !== 'core.requests') await sql(`ALTER TABLE ${copy} ADD PRIMARY KEY (id)`);
    }
    return sql(text.replaceAll(TABLE, copyOf), values);
  };
}

const TABLE = /\bcore\.(?:wallets|transactions|holds|requests)\b/g;

const copyOf = (table: string): string => `copied_${table.replace('.', '_')}`;
