import { ConnectionWays } from '@repo/database-url';
import type { DatabaseTarget } from '@repo/database-url';
import { Pool } from 'pg';
import type { ClientConfig, PoolClient, PoolConfig, QueryConfig } from 'pg';
import { ScrubbedCause, databaseCode, isOfPooler, toDaftariError } from './database-error.ts';
import { DaftariError } from '../errors.ts';
import { GuardedClient } from './guarded-client.ts';

type Connected = (error: Error | undefined, client: PoolClient | undefined, done: () => void) => void;

/**
 * A pool that says why it gives no connection. Whatever fails before there is one has sent nothing, so it is never
 * `outcome_unknown`, not even when a proxy in front of the database hangs up on us.
 */
export class GuardedPool extends Pool {
  readonly #open = new Set<PoolClient>();
  readonly #ways: ConnectionWays;
  readonly #limits: PoolLimits;

  constructor(target: DatabaseTarget, config: PoolConfig, limits: PoolLimits) {
    const ways = new ConnectionWays(target);
    // The pool makes a client when there is room for one, and learns only then how to connect.
    class Connecting extends GuardedClient {
      constructor(settings?: ClientConfig) {
        super({ ...settings, ...ways.current });
      }
    }
    super({ ...config, ...patienceOf(ways), Client: Connecting });
    this.#ways = ways;
    this.#limits = limits;
    this.on('connect', (client) => this.#open.add(client));
    this.on('remove', (client) => this.#open.delete(client));
    // A connection that is given back broken leaves the pool at once, but `remove` waits for its socket to close.
    this.on('release', (error: unknown, client) => error && this.#open.delete(client));
    // One that breaks while idle is replaced; without a listener it would end the process.
    this.on('error', () => undefined);
  }

  /**
   * Throws `pool_exhausted` while as many wait for a connection as may. Otherwise those who come faster than they are
   * served would all be kept in memory until their time is up.
   */
  refuseWhenFull(): void {
    if (this.waitingCount >= this.#limits.maxWaiting) throw new DaftariError('pool_exhausted');
  }

  // Every statement outside a transaction, Prisma's too. pg's types leave the limit of one query out.
  override query = ((statement: QueryConfig, values?: unknown[]) => {
    const timed = [{ query_timeout: this.#limits.answerTimeoutMs, ...statement }, values];
    return Pool.prototype.query.apply(this, timed as unknown as Parameters<Pool['query']>);
  }) as Pool['query'];

  // Called with a callback by the pool's own `query`, and for a promise by Prisma.
  override connect(): Promise<PoolClient>;
  override connect(callback: Connected): void;
  override connect(callback?: Connected): Promise<PoolClient> | void {
    if (callback !== undefined) return this.#attempt(callback, this.#ways.retries);
    if (this.waitingCount >= this.#limits.maxWaiting)
      return Promise.reject(new DaftariError('pool_exhausted'));
    const { promise, resolve, reject } = Promise.withResolvers<PoolClient>();
    this.#attempt(
      (error, client) => (client === undefined ? reject(error) : resolve(client)),
      this.#ways.retries,
    );
    return promise;
  }

  #attempt(callback: Connected, retries: number): void {
    const way = this.#ways.current;
    super.connect((error, client, done) => {
      if (error === undefined || error === null) return callback(undefined, client, done);
      if (retries > 0 && this.#ways.turnFrom(way, error)) return this.#attempt(callback, retries - 1);
      this.#ways.beginAgain();
      callback(this.#explain(error), client, done);
    });
  }

  // The pool says the same words when it is full and when the server does not answer; the open connections show which.
  #explain(error: unknown): DaftariError {
    const isFull = this.#open.size >= this.options.max;
    if (!(error instanceof Error))
      return new DaftariError(isFull ? 'pool_exhausted' : 'database_unavailable');
    const code = databaseCode(error);
    if (isOfPooler(error, code)) return toDaftariError(error);
    const cause = new ScrubbedCause(error, code);
    return new DaftariError(isFull ? 'pool_exhausted' : 'database_unavailable', { cause });
  }
}

interface PoolLimits {
  /** How long the answer to a statement may take; milliseconds. */
  readonly answerTimeoutMs: number;
  /** Callers that may wait for a connection. */
  readonly maxWaiting: number;
}

/** The pool's own limit for a connection is the one that the connection string names, if it names one. */
function patienceOf(ways: ConnectionWays): PoolConfig {
  const { connectionTimeoutMillis } = ways.current;
  return connectionTimeoutMillis === undefined ? {} : { connectionTimeoutMillis };
}
