import { PrismaPg } from '@prisma/adapter-pg';
import { PrismaClient } from '../generated/client.ts';
import type { GuardedPool } from './guarded-pool.ts';

/** Prisma's client on a pool, for those who ask for it. */
export interface LazyPrisma {
  /** Makes the client when it is asked for first. */
  readonly open: () => PrismaClient;
  /** Ends it, if it was made. */
  readonly close: () => Promise<void>;
}

interface PrismaOptions {
  /** Whether statements may be prepared. */
  readonly named: boolean;
  /** How long the pool lets callers wait for a connection. */
  readonly connectTimeoutMs: number;
}

/**
 * Making the client takes 23 ms of processor time, in which a process does nothing else, and most of what opens a database
 * never asks for it.
 */
export function createLazyPrisma(pool: GuardedPool, { named, connectTimeoutMs }: PrismaOptions): LazyPrisma {
  let client: PrismaClient | null = null;
  return {
    open() {
      client ??= new PrismaClient({
        adapter: new PrismaPg(pool, named ? { statementNameGenerator: nameOf } : {}),
        errorFormat: 'minimal',
        // The pool answers first: it knows why there is no connection.
        transactionOptions: { maxWait: connectTimeoutMs + 1_000 },
      });
      return client;
    },
    async close() {
      await client?.$disconnect();
    },
  };
}

function nameOf(query: { readonly sql: string }): string {
  let hash = 5381;
  for (let i = 0; i < query.sql.length; i += 1) hash = (hash * 33) ^ query.sql.charCodeAt(i);
  return `q${query.sql.length}_${(hash >>> 0).toString(36)}`;
}
