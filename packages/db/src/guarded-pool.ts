import { Pool } from 'pg';
import type { PoolClient, PoolConfig } from 'pg';
import { ScrubbedCause, databaseCode } from './database-error.ts';
import { DaftariError } from './errors.ts';
import { GuardedClient } from './guarded-client.ts';

type Connected = (error: Error | undefined, client: PoolClient | undefined, done: () => void) => void;

/**
 * A pool that says why it gives no connection. Whatever fails before there is one has sent nothing, so it is never
 * `outcome_unknown`, not even when a proxy in front of the database hangs up on us.
 */
export class GuardedPool extends Pool {
  readonly #open = new Set<PoolClient>();

  constructor(config: PoolConfig) {
    super({ ...config, Client: GuardedClient });
    this.on('connect', (client) => this.#open.add(client));
    this.on('remove', (client) => this.#open.delete(client));
    // A connection that is given back broken leaves the pool at once, but `remove` waits for its socket to close.
    this.on('release', (error: unknown, client) => error && this.#open.delete(client));
    // One that breaks while idle is replaced; without a listener it would end the process.
    this.on('error', () => undefined);
  }

  // Called with a callback by the pool's own `query`, and for a promise by Prisma.
  override connect(): Promise<PoolClient>;
  override connect(callback: Connected): void;
  override connect(callback?: Connected): Promise<PoolClient> | void {
    if (callback === undefined) return super.connect().catch((error: unknown) => this.#refuse(error));
    super.connect((error, client, done) => callback(error && this.#explain(error), client, done));
  }

  #refuse(error: unknown): never {
    throw this.#explain(error);
  }

  // The pool says the same words when it is full and when the server does not answer; the open connections tell which.
  #explain(error: unknown): DaftariError {
    const isFull = this.#open.size >= this.options.max;
    const cause = error instanceof Error ? new ScrubbedCause(error, databaseCode(error)) : undefined;
    return new DaftariError(isFull ? 'pool_exhausted' : 'database_unavailable', { cause });
  }
}
