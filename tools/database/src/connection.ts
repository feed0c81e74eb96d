import { DatabaseUrlError, openClient, parseDatabaseUrl } from '@repo/database-url';
import type { DatabaseTarget } from '@repo/database-url';
import { Client } from 'pg';
import { MigrateError, codeOf, messageOf } from './errors.ts';

/** What these commands call themselves, and how long they wait, where the connection string does not say. */
const SETTINGS = { application_name: 'daftari-migrate', connectionTimeoutMillis: 10_000 };

/**
 * Runs `work` with a connection of its own to the database.
 *
 * @throws {MigrateError} URL_INVALID, DATABASE_UNREACHABLE, DATABASE_ABSENT or CREDENTIALS_REFUSED
 */
export async function withConnection<T>(url: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = await connect(targetOf(url));
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** Where a connection leads, for people: never with user or password. */
export function placeOf({
  host,
  port,
  database,
}: Pick<DatabaseTarget, 'host' | 'port'> & { database?: string | undefined }): string {
  return `database "${String(database)}" on ${host}:${port}`;
}

/** The schema in which Prisma keeps its history, which its `schema` parameter names. */
export function historySchema(url: string): string {
  return targetOf(url).schema ?? 'public';
}

function targetOf(url: string): DatabaseTarget {
  try {
    return parseDatabaseUrl(url);
  } catch (error) {
    if (!(error instanceof DatabaseUrlError)) throw error;
    throw new MigrateError('URL_INVALID', `${error.message}.`, { cause: error.cause });
  }
}

async function connect(target: DatabaseTarget): Promise<Client> {
  try {
    return await openClient(target, SETTINGS, { create: (config) => new Client(config) });
  } catch (cause) {
    const place = placeOf(target);
    const code = codeOf(cause);
    if (code === '3D000') {
      throw new MigrateError('DATABASE_ABSENT', `${place}. Run db:deploy, which makes it.`, { cause });
    }
    if (code?.startsWith('28')) {
      throw new MigrateError('CREDENTIALS_REFUSED', `${place}. Correct DATABASE_URL.`, { cause });
    }
    throw new MigrateError(
      'DATABASE_UNREACHABLE',
      `${place}: ${messageOf(cause)}. Start it, or correct DATABASE_URL.`,
      { cause },
    );
  }
}
