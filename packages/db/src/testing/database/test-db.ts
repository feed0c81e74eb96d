import { createTestDatabase } from '@repo/postgres/testing';
import { Client } from 'pg';
import { afterAll, beforeAll } from 'vitest';
import { createDb } from '../../connection/db.ts';
import type { Db, DbOptions } from '../../connection/db.ts';
import { isOverNodes } from './nodes.ts';

export type Row = Readonly<Record<string, unknown>>;

/** A statement past the package, as the database's owner. */
export type Sql = (text: string, values?: readonly unknown[]) => Promise<Row[]>;

export interface TestDb extends AsyncDisposable {
  readonly url: string;
  /** Of every node that can be asked; of one server, its own. */
  readonly urls: readonly string[];
  readonly db: Db;
  /** Looks into the database on a connection of its own, one statement after the other. */
  readonly sql: Sql;
}

/** A migrated database of the test's own, open through the package and beside it. */
export async function openTestDb(options: Omit<Partial<DbOptions>, 'url'> = {}): Promise<TestDb> {
  const database = await createTestDatabase();
  const client = await connect(database.url);
  const db = createDb({ ...options, url: database.url });
  return {
    url: database.url,
    urls: database.urls,
    db,
    sql: sqlOf(client),
    [Symbol.asyncDispose]: async () => {
      // First the connection that may hold locks for which the others wait.
      await client.end();
      await db.close();
      await database.drop();
    },
  };
}

/** One database for all tests of a file, which then look at rows of their own only. */
export function useTestDb(): Omit<TestDb, keyof AsyncDisposable> {
  const opened: TestDb[] = [];
  beforeAll(async () => {
    opened.push(await openTestDb());
  });
  afterAll(() => current()[Symbol.asyncDispose]());
  const current = (): TestDb => {
    const [database] = opened;
    if (database === undefined) throw new Error('useTestDb: the database is there once the tests run');
    return database;
  };
  return {
    get url() {
      return current().url;
    },
    get urls() {
      return current().urls;
    },
    get db() {
      return current().db;
    },
    sql: (text, values) => current().sql(text, values),
  };
}

/** A plain connection. One that is cut fails the statement under way, and the test sees it there. */
export async function connect(url: string): Promise<Client> {
  const client = new Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

/** Statements that are asked for at once wait for each other. */
export function sqlOf(client: Client): Sql {
  let last: Promise<unknown> = Promise.resolve();
  return (text, values = []) => {
    const next = last.then(() => client.query<Record<string, unknown>>(text, [...values]));
    // The caller of a statement gets its failure; the caller of the next one does not.
    last = next.catch(() => undefined);
    return next.then(({ rows }) => rows);
  };
}

/** A statement that the guards refuse, with their setting open around it: for states that no function leads to. */
export async function throughDoor(sql: Sql, text: string, values: readonly unknown[] = []): Promise<Row[]> {
  // What is set for a session stays on one node; what is set for a transaction goes where that goes.
  if (isOverNodes) {
    await sql('BEGIN');
    await sql(`SET LOCAL daftari.door = 'open'`);
    try {
      return await sql(text, values);
    } finally {
      await sql('COMMIT');
    }
  }
  await sql(`SELECT set_config('daftari.door', 'open', false)`);
  try {
    return await sql(text, values);
  } finally {
    await sql(`SELECT set_config('daftari.door', '', false)`);
  }
}

/** The only value of the only row. */
export async function valueOf(sql: Sql, text: string, values: readonly unknown[] = []): Promise<unknown> {
  const [row] = await sql(text, values);
  return Object.values(row ?? {})[0];
}
