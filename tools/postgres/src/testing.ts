import { randomBytes } from 'node:crypto';
import { inject } from 'vitest';
import { cloneDatabase, createDatabase, dropDatabase } from './database.ts';
import { testNodes } from './env.ts';
import { Session } from './session.ts';
import { startTestNodes } from './test-nodes.ts';
import type { TestServer } from './test-server.ts';

export interface TestDatabase extends AsyncDisposable {
  readonly url: string;
  /** Of every node that can be asked; of one server, its own. */
  readonly urls: readonly [string, ...string[]];
  /** Looks into the database in a session that stays open, past what is tested. */
  readonly query: (sql: string) => Promise<Record<string, unknown>[]>;
  /** Removes the database; connections that are still open are cut. */
  readonly drop: () => Promise<void>;
}

/**
 * A database for one test or one test file: a clone of the migrated template, or of the one at the URL `like`, which
 * nobody may be connected to; or an empty one. Made for Vitest, whose global setup runs the server. With TEST_NODES the
 * migrated one is distributed over nodes of its own.
 *
 *     await using database = await createTestDatabase();
 */
export async function createTestDatabase({
  empty = false,
  like,
}: { empty?: boolean; like?: string } = {}): Promise<TestDatabase> {
  if (testNodes() > 0 && !empty && like === undefined) return createOverNodes(testNodes());
  const { serverUrl, template: migrated, prefix }: TestServer = inject('postgres');
  const template = like === undefined ? migrated : decodeURIComponent(new URL(like).pathname.slice(1));
  const name = `${prefix}${randomBytes(8).toString('hex')}`;
  administrator ??= new Session(serverUrl);
  const { query: run } = administrator;
  const url = empty
    ? await createDatabase(serverUrl, name, run)
    : await cloneDatabase(serverUrl, { template, name }, run);
  const session = new Session(url);
  const drop = async (): Promise<void> => {
    await session[Symbol.asyncDispose]();
    await dropDatabase(serverUrl, name, run);
  };
  return { url, urls: [url], query: session.query, drop, [Symbol.asyncDispose]: drop };
}

async function createOverNodes(workers: number): Promise<TestDatabase> {
  const { url, urls, stop } = await startTestNodes(workers);
  const session = new Session(url);
  const drop = async (): Promise<void> => {
    await session[Symbol.asyncDispose]();
    await stop();
  };
  return { url, urls, query: session.query, drop, [Symbol.asyncDispose]: drop };
}

/** The one of this process, in which databases are made and dropped. */
let administrator: Session | null = null;
