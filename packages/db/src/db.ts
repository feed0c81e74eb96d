import { PrismaPg } from '@prisma/adapter-pg';
import { Pool } from 'pg';
import type { PoolConfig } from 'pg';
import { DaftariError } from './errors.ts';
import { isTransient, toDaftariError } from './database-error.ts';
import { PrismaClient } from './generated/client.ts';
import type { Prisma } from './generated/client.ts';
import { GuardedClient } from './guarded-client.ts';
import { retry } from './retry.ts';
import type { Statement, Value } from './statement.ts';

export interface DbOptions {
  /** `postgresql://user:password@host:port/database`. */
  readonly url: string;
  /** Connections of this process at most; 10 unless said otherwise. */
  readonly maxConnections?: number;
  /** How long a caller waits for a connection before `pool_exhausted`; milliseconds, 5,000 unless said otherwise. */
  readonly connectTimeoutMs?: number;
  /** How long one statement may run, waiting for locks included; milliseconds, 30,000 unless said otherwise. */
  readonly statementTimeoutMs?: number;
  /**
   * Say true behind a pooler in transaction mode (PgBouncer): no prepared statements, no start-up parameters. Such a
   * pooler hands each transaction another server connection, where they would be unknown or refused.
   */
  readonly pooler?: boolean;
}

/** Where functions of this package run: the database, or a transaction of it. */
export interface Handle {
  /** Prisma's typed client for the reads that this package has no function for. */
  readonly prisma: Prisma.TransactionClient;
  run(statement: Statement, values: readonly Value[]): Promise<unknown[]>;
}

/** An open database: a pool of connections, and Prisma's client on the same pool. */
export interface Db extends Handle {
  readonly prisma: PrismaClient;
  /** Ends all connections; statements under way are waited for. */
  close(): Promise<void>;
}

/**
 * Opens a database. Nothing connects before the first statement, and a process may hold several.
 *
 * The session's time zone does not matter: every time is TIMESTAMP(3) in UTC, written and read as such.
 */
export function createDb(options: DbOptions): Db {
  const pool = new Pool({ ...poolConfig(options), Client: GuardedClient });
  // A connection that breaks while idle is replaced by the pool; without a listener it would end the process.
  pool.on('error', () => undefined);
  const named = options.pooler !== true;
  const adapter = new PrismaPg(pool, named ? { statementNameGenerator: nameOf } : {});
  const prisma = new PrismaClient({
    adapter,
    errorFormat: 'minimal',
    transactionOptions: { maxWait: 5_000 },
  });
  return {
    prisma,
    async run(statement, values) {
      try {
        const config = { text: statement.text, values: [...values] };
        const prepared = named ? { ...config, name: statement.name } : config;
        // One statement is one transaction: when a deadlock undid it, it can simply be said again.
        const result = await retry(() => pool.query(prepared), isTransient);
        return result.rows;
      } catch (error) {
        throw explain(error, pool);
      }
    },
    async close() {
      await prisma.$disconnect();
      await pool.end();
    },
  };
}

/** Throws unless the database answers and carries this release's functions. */
export async function ping(db: Handle): Promise<void> {
  await db.run(PING, []);
}

// Cheap, and fails with schema_outdated on a database that was never migrated.
const PING: Statement = {
  name: 'ping',
  text: `SELECT 'services.record_deposits'::regproc::text AS ready`,
};

function poolConfig(options: DbOptions): PoolConfig {
  const limits = {
    statement_timeout: options.statementTimeoutMs ?? 30_000,
    idle_in_transaction_session_timeout: 60_000,
  };
  return {
    connectionString: options.url,
    max: options.maxConnections ?? 10,
    connectionTimeoutMillis: options.connectTimeoutMs ?? 5_000,
    application_name: 'daftari',
    ...(options.pooler === true ? {} : limits),
  };
}

function nameOf(query: { readonly sql: string }): string {
  let hash = 5381;
  for (let i = 0; i < query.sql.length; i += 1) hash = (hash * 33) ^ query.sql.charCodeAt(i);
  return `q${query.sql.length}_${(hash >>> 0).toString(36)}`;
}

function explain(error: unknown, pool: Pool): DaftariError {
  const explained = toDaftariError(error);
  // The pool says the same words when it is full and when a server does not answer; its counts tell which.
  const isWaiting = explained.code === 'pool_exhausted' && pool.totalCount < pool.options.max;
  return isWaiting ? new DaftariError('database_unavailable', { cause: explained.cause }) : explained;
}
