import { randomBytes } from 'node:crypto';
import { inject } from 'vitest';
import { cloneDatabase, createDatabase, dropDatabase } from './database.ts';
import type { TestServer } from './test-server.ts';

export interface TestDatabase extends AsyncDisposable {
  readonly url: string;
  /** Removes the database; connections that are still open are cut. */
  readonly drop: () => Promise<void>;
}

/**
 * A database for one test or one test file: a clone of the migrated template, or an empty one. Made for Vitest, whose
 * global setup runs the server.
 *
 *     await using database = await createTestDatabase();
 */
export async function createTestDatabase({ empty = false }: { empty?: boolean } = {}): Promise<TestDatabase> {
  const { serverUrl, template, prefix }: TestServer = inject('postgres');
  const name = `${prefix}${randomBytes(8).toString('hex')}`;
  const url = empty
    ? await createDatabase(serverUrl, name)
    : await cloneDatabase(serverUrl, { template, name });
  const drop = (): Promise<void> => dropDatabase(serverUrl, name);
  return { url, drop, [Symbol.asyncDispose]: drop };
}
