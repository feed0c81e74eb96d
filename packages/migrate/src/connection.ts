import { Client } from 'pg';
import { MigrateError, codeOf, messageOf } from './errors.ts';

const connectMilliseconds = 10_000;

/**
 * Runs `work` with a connection of its own to the database.
 *
 * @throws {MigrateError} DATABASE_UNREACHABLE, DATABASE_ABSENT or CREDENTIALS_REFUSED
 */
export async function withConnection<T>(url: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = clientOf(url);
  // A connection that breaks also fails the query under way, and that is where it is reported.
  client.on('error', () => undefined);
  try {
    await connect(client);
    return await work(client);
  } finally {
    await client.end();
  }
}

/** Where a connection leads, for people: never with user or password. */
export function placeOf({ host, port, database }: Client): string {
  return `database "${String(database)}" on ${host}:${port}`;
}

/** The schema in which Prisma keeps its history, which its `schema` parameter names. */
export function historySchema(url: string): string {
  return parseUrl(url).searchParams.get('schema') || 'public';
}

function clientOf(url: string): Client {
  parseUrl(url);
  return new Client({
    connectionString: url,
    application_name: 'daftari-migrate',
    connectionTimeoutMillis: connectMilliseconds,
  });
}

function parseUrl(url: string): URL {
  const parsed = URL.parse(url);
  if (parsed !== null && ['postgresql:', 'postgres:'].includes(parsed.protocol)) return parsed;
  // The message must not repeat it: it may hold a password.
  throw new MigrateError(
    'URL_INVALID',
    'write it as postgresql://user:password@host:port/database, special characters percent-encoded.',
  );
}

async function connect(client: Client): Promise<void> {
  try {
    await client.connect();
  } catch (cause) {
    const place = placeOf(client);
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
