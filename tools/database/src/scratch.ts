import { randomBytes } from 'node:crypto';
import { createDatabase, dropDatabase } from '@repo/postgres/database';
import { startServer } from '@repo/postgres/server';

/** An empty database that is gone afterwards. */
export interface ScratchDatabase extends AsyncDisposable {
  readonly url: string;
}

/**
 * Makes an empty database on a server for trials, or on one that runs only as long as the database is needed. Never on
 * the server that DATABASE_URL names.
 */
export async function openScratchDatabase(testServerUrl: string | undefined): Promise<ScratchDatabase> {
  await using resources = new AsyncDisposableStack();
  const serverUrl = testServerUrl ?? resources.use(await startServer({ durable: false })).url;
  const name = `scratch_${randomBytes(8).toString('hex')}`;
  const url = await createDatabase(serverUrl, name);
  resources.defer(() => dropDatabase(serverUrl, name));
  const kept = resources.move();
  return { url, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}
