import {
  DatabaseUrlError,
  ServerRoleError,
  assertRole,
  openClient,
  parseDatabaseUrl,
} from '@repo/database-url';
import type { DatabaseTarget, ServerRole } from '@repo/database-url';
import type { Client, PoolConfig } from 'pg';
import { isTransient, toDaftariError } from './database-error.ts';
import type { PrismaClient } from '../generated/client.ts';
import { isDaftariError } from '../errors.ts';
import { RememberedForm } from './form.ts';
import { GuardedClient } from './guarded-client.ts';
import { GuardedPool } from './guarded-pool.ts';
import { createLazyPrisma } from './lazy-prisma.ts';
import { retry } from './retry.ts';
import { assertClientCurrent } from './schema-digest.ts';
import { SERVER_CHECK, admitToMoney, judgeRows } from './server-check.ts';
import type { Handle, Statement, Value } from './handle.ts';

export interface DbOptions {
  /** `postgresql://user:password@host:port/database?sslmode=...`; docs/operating.md lists the parameters. */
  readonly url: string;
  /** Connections of this process at most. Default: 10. */
  readonly maxConnections?: number;
  /** Callers that may wait for a connection; all others are refused at once (`pool_exhausted`). Default: 2,000. */
  readonly maxWaiting?: number;
  /** How long a caller waits for a connection before `pool_exhausted`, in milliseconds. Default: 5,000. */
  readonly connectTimeoutMs?: number;
  /** How long one statement may run, waiting for locks included, in milliseconds. Default: 30,000. */
  readonly statementTimeoutMs?: number;
  /**
   * Say true behind a pooler in transaction mode (PgBouncer): no prepared statements, no start-up parameters. Such a
   * pooler hands each transaction another server connection, where they would be unknown or refused.
   */
  readonly pooler?: boolean;
  /**
   * Say true where nothing is written or decided, for reports: the server may be a standby, whose rows are late, and
   * nothing is asked about it. Otherwise every new connection is refused unless its server is a primary that keeps what
   * it acknowledges.
   */
  readonly readsOnly?: boolean;
}

/** An open database: a pool of connections, and Prisma's client on the same pool, made when it is first asked for. */
export interface Db extends Handle {
  readonly prisma: PrismaClient;
  /**
   * The same database for work that waits for a connection even where as many wait as may: batches, which carry the work
   * of many callers, and messages that nobody sends again. Whoever uses it bounds how much of it there is.
   */
  readonly patient: Handle;
  /** Callers that wait for a connection now. */
  readonly waiting: number;
  /** The schema that holds Prisma's own table, as the URL names it. */
  readonly schema: string;
  /**
   * Opens a connection beside the pool for callers that need one for as long as it lasts, as LISTEN does; the caller
   * ends it. Null behind a pooler in transaction mode, which offers no such connection.
   */
  readonly connect: (() => Promise<Client>) | null;
  /**
   * Asks the server whether it is still one that the connections may lead to; those of `readsOnly` may lead anywhere.
   *
   * @throws DaftariError database_not_primary, database_not_durable
   */
  checkServer(): Promise<void>;
  /** Ends all connections of the pool; statements under way are waited for. */
  close(): Promise<void>;
}

/**
 * Opens a database. Nothing connects before the first statement, and a process may hold several.
 *
 * The session's time zone does not matter: every time is TIMESTAMP(3) in UTC, written and read as such.
 *
 * @throws {DaftariError} client_outdated, when the models have changed since Prisma's client was generated
 * @throws DatabaseUrlError, which says what in `url` cannot be used and repeats nothing of it
 */
export function createDb(options: DbOptions): Db {
  assertClientCurrent();
  const connectTimeoutMs = options.connectTimeoutMs ?? 5_000;
  const statementTimeoutMs = options.statementTimeoutMs ?? 30_000;
  const readsOnly = options.readsOnly === true;
  const target = targetOf(options.url, readsOnly);
  const config = poolConfig(options, { connectTimeoutMs, statementTimeoutMs });
  const admit = (client: Client, role: ServerRole): Promise<void> =>
    readsOnly ? assertRole(client, role) : admitToMoney(client, connectTimeoutMs);
  const pool = new GuardedPool(target, config, {
    answerTimeoutMs: statementTimeoutMs + ANSWER_GRACE_MS,
    maxWaiting: options.maxWaiting ?? 2_000,
    needsPrimary: !readsOnly,
    admit,
  });
  const named = options.pooler !== true;
  const prisma = createLazyPrisma(pool, { named, connectTimeoutMs });
  let closed: Promise<void> | null = null;
  const form = new RememberedForm();
  const ask = (question: Statement): Promise<unknown[]> => run(question, []);
  async function run(given: Statement, values: readonly Value[]): Promise<unknown[]> {
    const { name, text } = given.overNodes === undefined ? given : await form.fit(given, ask);
    const statement = { text, values: [...values], ...(named ? { name } : {}) };
    try {
      // One statement is one transaction: when a deadlock undid it, it can simply be retried.
      const result = await retry(() => pool.queryPatiently<Record<string, unknown>>(statement), isTransient);
      return result.rows;
    } catch (error) {
      throw toDaftariError(error);
    }
  }

  return {
    get prisma() {
      return prisma.open();
    },
    // Connections that are in use come free again, at the latest when their statements' time is up; and on a machine that
    // has too much to do a new one takes longer to open than one wait.
    patient: {
      get prisma() {
        return prisma.open();
      },
      form,
      run: (...call) => retry(() => run(...call), isWithoutConnection),
    },
    form,
    schema: target.schema ?? 'public',
    async run(statement, values) {
      pool.refuseWhenFull();
      return run(statement, values);
    },
    get waiting() {
      return pool.waitingCount;
    },
    connect: named ? () => connect(target, config, (client) => admit(client, 'any')) : null,
    async checkServer() {
      if (readsOnly) return;
      try {
        judgeRows((await pool.queryPatiently({ text: SERVER_CHECK })).rows);
      } catch (error) {
        if (error instanceof ServerRoleError) pool.distrust();
        throw toDaftariError(error);
      }
    },
    close() {
      closed ??= prisma.close().then(() => pool.end());
      return closed;
    },
  };
}

/** Whether there was no connection to have to a server that takes money, so that nothing was written. */
function isWithoutConnection(error: unknown): boolean {
  return isDaftariError(error) && WITHOUT_CONNECTION.includes(error.code);
}

const WITHOUT_CONNECTION: readonly string[] = [
  'pool_exhausted',
  'database_unavailable',
  'database_not_primary',
];

/** What the URL names; money has no use for a server that takes no writes. */
function targetOf(url: string, readsOnly: boolean): DatabaseTarget {
  const target = parseDatabaseUrl(url);
  if (readsOnly || WRITABLE.includes(target.role)) return target;
  throw new DatabaseUrlError(
    'parameter',
    `target_session_attrs is ${target.role}, and here payments are written; write read-write`,
  );
}

const WRITABLE: readonly string[] = ['any', 'read-write', 'primary'];

async function connect(
  target: DatabaseTarget,
  config: PoolConfig,
  admit: (client: Client) => Promise<void>,
): Promise<Client> {
  try {
    return await openClient(target, config, { create: (settings) => new GuardedClient(settings), admit });
  } catch (error) {
    throw toDaftariError(error, 'database_unavailable');
  }
}

/**
 * How much longer than the statement may run we wait for its answer; milliseconds. It ends the waiting when the network
 * swallows the answer, or when a pooler is between and the server knows no limit. The pool drops such a connection.
 */
const ANSWER_GRACE_MS = 2_000;

/** Throws unless the database answers and carries this release's functions. */
export async function ping(db: Handle): Promise<void> {
  await db.run(PING, []);
}

// Cheap, and fails with schema_outdated on a database that was never migrated.
const PING: Statement = {
  name: 'ping',
  text: `SELECT 'services.record_deposits'::regproc::text AS ready`,
};

interface Timeouts {
  readonly connectTimeoutMs: number;
  readonly statementTimeoutMs: number;
}

function poolConfig(options: DbOptions, { connectTimeoutMs, statementTimeoutMs }: Timeouts): PoolConfig {
  const limits = {
    statement_timeout: statementTimeoutMs,
    idle_in_transaction_session_timeout: 60_000,
  };
  return {
    max: options.maxConnections ?? 10,
    connectionTimeoutMillis: connectTimeoutMs,
    application_name: 'daftari',
    // A server that vanished without a word is noticed also while nothing is being said.
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    ...(options.pooler === true ? {} : limits),
  };
}
