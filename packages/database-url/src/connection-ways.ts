import { Client, DatabaseError } from 'pg';
import type { ClientConfig } from 'pg';
import { parseDatabaseUrl } from './parse-database-url.ts';
import type { DatabaseTarget } from './parse-database-url.ts';

/**
 * The ways in which a target may be connected to: with TLS, without, or with one of the two first. One that was refused
 * gives way to the other, which stays until it is refused in turn.
 */
export class ConnectionWays {
  readonly #ways: readonly ClientConfig[];
  #current = 0;

  constructor(target: DatabaseTarget) {
    const plain = { ...configOf(target), ssl: false };
    const { tls } = target;
    if (tls.use === 'never') {
      this.#ways = [plain];
      return;
    }
    const encrypted: ClientConfig = {
      ...plain,
      ssl: tls.options,
      ...(tls.isDirect ? { sslnegotiation: 'direct' } : {}),
    };
    this.#ways = { always: [encrypted], first: [encrypted, plain], last: [plain, encrypted] }[tls.use];
  }

  /** What to connect with now. */
  get current(): ClientConfig {
    return this.#ways[this.#current] ?? {};
  }

  /** How often to try again at most. Others may have turned in between. */
  get retries(): number {
    return this.#ways.length === 1 ? 0 : 2;
  }

  /** After `error` from `way`: whether to try again, now in another way. */
  turnFrom(way: ClientConfig, error: unknown): boolean {
    if (this.#ways.length === 1 || !isRefusal(error)) return false;
    if (way === this.current) this.#current = (this.#current + 1) % this.#ways.length;
    return true;
  }

  /** After every way was refused. */
  beginAgain(): void {
    this.#current = 0;
  }
}

/** Connects one client; `settings` are the program's own, which the connection string does not name. */
export async function openClient<C extends Client>(
  target: DatabaseTarget,
  settings: ClientConfig,
  create: (config: ClientConfig) => C,
): Promise<C> {
  const ways = new ConnectionWays(target);
  const refusals: unknown[] = [];
  for (;;) {
    const way = ways.current;
    const client = create({ ...settings, ...way });
    // Without a listener a failure after the promise below has settled would end the process.
    client.on('error', () => undefined);
    try {
      await client.connect();
      return client;
    } catch (error) {
      refusals.push(error);
      if (refusals.length >= 2 || !ways.turnFrom(way, error)) throw refusals.find(saysMore) ?? error;
    }
  }
}

/** Connects a plain client to the database that a connection string names. */
export function connectTo(url: string): Promise<Client> {
  return openClient(parseDatabaseUrl(url), {}, (config) => new Client(config));
}

function configOf(target: DatabaseTarget): ClientConfig & { readonly enableChannelBinding?: boolean } {
  const { options, applicationName, connectTimeoutMs, password } = target;
  return {
    user: target.user,
    host: target.host,
    port: target.port,
    database: target.database,
    ...(password === undefined ? {} : { password }),
    ...(options === undefined ? {} : { options }),
    ...(applicationName === undefined ? {} : { application_name: applicationName }),
    ...(connectTimeoutMs === undefined ? {} : { connectionTimeoutMillis: connectTimeoutMs }),
    ...(target.bindsChannel ? { enableChannelBinding: true } : {}),
  };
}

/** What pg says, without a code, when the server does not answer the request for TLS with yes. */
const NO_TLS = /does not support SSL connections|error establishing an SSL connection/;

/**
 * Whether it was this way that was refused: TLS could not be had, or the server's rules (pg_hba.conf) do not let this user
 * in like this. A server that does not answer would answer no better in another way.
 */
function isRefusal(error: unknown): boolean {
  if (error instanceof DatabaseError) return error.code?.startsWith('28') === true;
  if (!(error instanceof Error)) return false;
  const code: unknown = Reflect.get(error, 'code');
  return NO_TLS.test(error.message) || (typeof code === 'string' && /^(ERR_TLS|ERR_SSL|EPROTO)/.test(code));
}

/** An error about missing TLS says less than what happened without TLS. */
function saysMore(error: unknown): boolean {
  return !(error instanceof Error && NO_TLS.test(error.message));
}
