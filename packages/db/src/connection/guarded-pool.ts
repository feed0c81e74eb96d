import { ConnectionWays, ServerRoleError, openClient } from '@repo/database-url';
import type { ConnectionWay, DatabaseTarget, ServerRole } from '@repo/database-url';
import { Pool } from 'pg';
import type { ClientConfig, PoolClient, PoolConfig, QueryConfig, QueryResult, QueryResultRow } from 'pg';
import { ScrubbedCause, databaseCode, isOfPooler, toDaftariError } from './database-error.ts';
import { DaftariError, isDaftariError } from '../errors.ts';
import { GuardedClient } from './guarded-client.ts';

type Connected = (error: Error | undefined, client: PoolClient | undefined, done: () => void) => void;

interface PoolOptions {
  /** How long an answer is waited for, in milliseconds. */
  readonly answerTimeoutMs: number;
  /** Callers that may wait for a connection. */
  readonly maxWaiting: number;
  /** Whether the server must be the one that takes writes, so that of several there is one at a time. */
  readonly needsPrimary: boolean;
  /** Asks each new connection whether its server may be used, and has the role, and throws when not. */
  readonly admit: (client: GuardedClient, role: ServerRole) => Promise<void>;
}

/**
 * A pool that says why it gives no connection. Whatever fails before there is one has sent nothing, so it is never
 * `outcome_unknown`, not even when a proxy in front of the database hangs up on us.
 *
 * Of several servers it uses the first that `admit` does not refuse. When that one turns out to take no writes any
 * longer, the pool drops every connection to it and looks for another. When it only says nothing, as one that is paused
 * or cut off, the pool asks the others, and lets its connections go when one of them leads by now.
 */
export class GuardedPool extends Pool {
  readonly #open = new Set<PoolClient>();
  readonly #ways: ConnectionWays;
  readonly #limits: PoolOptions;
  /** Connections that were opened before the server changed its role: they are not given out again. */
  #distrusted = new WeakSet<object>();
  /** Connects to the server that leads now; null where there is no other. */
  readonly #findPrimary: (() => Promise<GuardedClient>) | null;
  #isLooking = false;

  constructor(target: DatabaseTarget, config: PoolConfig, options: PoolOptions) {
    const ways = new ConnectionWays(target);
    const patience = patienceOf(ways, config);
    const made = new WeakMap<object, ConnectionWay>();
    const fail = (client: Connecting, error: unknown): void => this.#learn(client, made.get(client), error);
    // The pool makes a client when there is room for one, and learns only then how to connect.
    class Connecting extends GuardedClient {
      constructor(settings?: ClientConfig) {
        super({ ...settings, ...ways.current.config, ...patience.client });
        made.set(this, ways.current);
        this.onFailure = (error) => fail(this, error);
      }
    }
    // The pool waits for it, whatever its types say.
    const hooks = {
      onConnect: (client: unknown): Promise<void> =>
        options.admit(client as Connecting, made.get(client as Connecting)?.role ?? 'any'),
    };
    super({ ...config, ...patience.pool, Client: Connecting, ...hooks });
    this.#ways = ways;
    this.#limits = options;
    // A server that falls silent between two answers must not end the looking.
    const settings = { ...config, ...patience.client, query_timeout: DOUBT_MS };
    const make = {
      create: (each: ClientConfig) => new GuardedClient(each),
      admit: (client: GuardedClient) => options.admit(client, 'any'),
    };
    const hasChoice = options.needsPrimary && ways.places > 1;
    // The one in use is asked first: it may be busy, and of two poolers either leads to the primary.
    const ask = () => openClient({ ...target, servers: ways.serversFromCurrent(target) }, settings, make);
    this.#findPrimary = hasChoice ? ask : null;
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

  // Every statement of Prisma's outside a transaction.
  override query = ((statement: QueryConfig, values?: unknown[]) => {
    if (this.waitingCount >= this.#limits.maxWaiting)
      return Promise.reject(new DaftariError('pool_exhausted'));
    return this.queryPatiently(statement, values);
  }) as Pool['query'];

  /** Runs a statement, and waits for a connection however many others do. */
  queryPatiently<Row extends QueryResultRow>(
    statement: QueryConfig,
    values?: unknown[],
  ): Promise<QueryResult<Row>> {
    // pg's types leave the limit of one query out.
    const timed = [{ query_timeout: this.#limits.answerTimeoutMs, ...statement }, values];
    const answer = Pool.prototype.query.apply(
      this,
      timed as unknown as Parameters<Pool['query']>,
    ) as unknown as Promise<QueryResult<Row>>;
    if (this.#findPrimary === null) return answer;
    const doubting = setInterval(() => void this.#lookForPrimary(), DOUBT_MS);
    return answer.finally(() => clearInterval(doubting));
  }

  /** Lets every connection go that leads to another server than the one that leads now. */
  async #lookForPrimary(): Promise<void> {
    if (this.#isLooking || this.#findPrimary === null) return;
    this.#isLooking = true;
    try {
      const found = await this.#findPrimary();
      const { host, port } = found;
      // Nothing depends on its goodbye.
      found.end().catch(() => undefined);
      this.#ways.turnTo({ host, port });
      for (const client of this.#open) {
        if (client.host === host && client.port === port) continue;
        this.#distrusted.add(client);
        if (client instanceof GuardedClient) client.abandon();
      }
    } catch {
      // No server leads yet, so the silent one may still answer.
    } finally {
      this.#isLooking = false;
    }
  }

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

  /** Gives no open connection out again, because their server is not the one that it was. */
  distrust(): void {
    for (const client of this.#open) this.#distrusted.add(client);
  }

  #attempt(callback: Connected, retries: number): void {
    const way = this.#ways.current;
    super.connect((error, client, done) => {
      if (error === undefined || error === null) return this.#give(callback, retries, { client, done });
      if (retries > 0 && this.#ways.turnFrom(way, error)) return this.#attempt(callback, retries - 1);
      this.#ways.beginAgain();
      callback(this.#explain(error), client, done);
    });
  }

  #give(
    callback: Connected,
    retries: number,
    { client, done }: { readonly client: PoolClient | undefined; readonly done: (error?: boolean) => void },
  ): void {
    if (client !== undefined && this.#distrusted.has(client)) {
      done(true);
      // Each of these is one connection less, so it ends.
      return this.#attempt(callback, retries);
    }
    const release = (error?: Error | boolean): void =>
      done(error !== undefined || (client !== undefined && this.#distrusted.has(client)));
    if (client !== undefined) client.release = release;
    callback(undefined, client, release);
  }

  /** Draws from a failed statement what it says of the server. */
  #learn(client: object, way: ConnectionWay | undefined, error: unknown): void {
    if (!this.#open.has(client as PoolClient) || !(error instanceof Error)) return;
    const isReadOnly = databaseCode(error) === READ_ONLY;
    // The answer that does not come may be that of a primary which was cut off from its standby.
    const isSilent = this.#ways.places > 1 && error.message === 'Query read timeout';
    if (!isReadOnly && !isSilent) return;
    this.distrust();
    if (way !== undefined) this.#ways.leave(way);
  }

  // The pool says the same words when it is full and when the server does not answer; the open connections show which.
  #explain(error: unknown): DaftariError {
    if (isDaftariError(error)) return error;
    const isFull = this.#open.size >= this.options.max;
    if (!(error instanceof Error))
      return new DaftariError(isFull ? 'pool_exhausted' : 'database_unavailable');
    const code = databaseCode(error);
    if (isOfPooler(error, code)) return toDaftariError(error);
    const cause = new ScrubbedCause(error, code);
    if (error instanceof ServerRoleError) return new DaftariError('database_not_primary', { cause });
    return new DaftariError(isFull ? 'pool_exhausted' : 'database_unavailable', { cause });
  }
}

/** A statement that has no answer for so long raises the question whether another server leads; milliseconds. */
const DOUBT_MS = 2_000;

/** A write in a session that may only read. */
const READ_ONLY = '25006';

/** No server of several is waited for longer than its part of the whole, nor for less than this; milliseconds. */
const LEAST_PATIENCE_MS = 500;

/**
 * The pool's own limit for a connection is the one that the connection string names, if it names one. Several servers
 * share it: one that is cut off must not use up the time of the others.
 */
function patienceOf(
  ways: ConnectionWays,
  config: PoolConfig,
): { readonly pool: PoolConfig; readonly client: ClientConfig } {
  const named = ways.current.config.connectionTimeoutMillis;
  const pool = named === undefined ? {} : { connectionTimeoutMillis: named };
  const whole = named ?? config.connectionTimeoutMillis ?? 0;
  if (whole === 0 || ways.places === 1) return { pool, client: {} };
  const part = Math.max(Math.ceil(whole / ways.places), Math.min(LEAST_PATIENCE_MS, whole));
  return { pool, client: { connectionTimeoutMillis: part } };
}
