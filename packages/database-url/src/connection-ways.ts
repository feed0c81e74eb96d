import { Client, DatabaseError } from 'pg';
import type { ClientConfig } from 'pg';
import { parseDatabaseUrl } from './parse-database-url.ts';
import type { DatabaseTarget } from './parse-database-url.ts';
import type { ServerAddress } from './server-list.ts';
import { ServerRoleError, assertRole } from './server-role.ts';
import type { ServerRole } from './server-role.ts';

/** One way to connect: a server of the list, with or without TLS, and the role that it must have. */
export interface ConnectionWay {
  readonly config: ClientConfig;
  readonly role: ServerRole;
  /** Its server, by its place in the list; other roles of the same server have places of their own. */
  readonly place: number;
}

/**
 * The ways in which a target may be connected to: its servers in their order, and each with TLS, without, or with one of
 * the two first. A way that was refused gives way to the other one of its server; a server that does not answer, or has
 * another role than it must, to the next one. The way that works stays until it fails in turn.
 */
export class ConnectionWays {
  readonly #ways: readonly ConnectionWay[];
  readonly #places: number;
  #current = 0;

  constructor(target: DatabaseTarget) {
    const roles: readonly ServerRole[] =
      target.role === 'prefer-standby' ? ['standby', 'any'] : [target.role];
    const places = roles.flatMap((role) => target.servers.map((server) => ({ role, server })));
    this.#places = places.length;
    this.#ways = places.flatMap(({ role, server }, place) =>
      configsOf(target, server).map((config) => ({ config, role, place })),
    );
  }

  /** What to connect with now. */
  get current(): ConnectionWay {
    // There is always one: a target has a server.
    return this.#ways[this.#current] as ConnectionWay;
  }

  /** How many there are. */
  get size(): number {
    return this.#ways.length;
  }

  /** How many servers there are to try, one that may have several roles counted for each. */
  get places(): number {
    return this.#places;
  }

  /** How often to try again at most. Others may have turned in between. */
  get retries(): number {
    return this.#ways.length === 1 ? 0 : this.#ways.length;
  }

  /** After `error` from `way`: whether to try again, now in another way. */
  turnFrom(way: ConnectionWay, error: unknown): boolean {
    if (isRefusal(error)) {
      const ofServer = this.#ways.filter(({ place }) => place === way.place);
      if (ofServer.length === 1) return false;
      if (way === this.current) {
        const other = ofServer[(ofServer.indexOf(way) + 1) % ofServer.length] ?? way;
        this.#current = this.#ways.indexOf(other);
      }
      return true;
    }
    return isElsewhere(error) && this.leave(way);
  }

  /** Turns to the next server, if there is one and `way` is still the one that is used. */
  leave(way: ConnectionWay): boolean {
    if (this.#places === 1) return false;
    if (way === this.current) {
      const next = (way.place + 1) % this.#places;
      this.#current = this.#ways.findIndex(({ place }) => place === next);
    }
    return true;
  }

  /** The servers of the target, beginning with the one that is used now. */
  serversFromCurrent({ servers }: DatabaseTarget): readonly ServerAddress[] {
    const { host, port } = this.current.config;
    const at = servers.findIndex((server) => server.host === host && server.port === port);
    return [...servers.slice(at), ...servers.slice(0, at)];
  }

  /** Turns to the server of this address, which was found to be the right one. */
  turnTo({ host, port }: Pick<ServerAddress, 'host' | 'port'>): void {
    const found = this.#ways.findIndex(({ config }) => config.host === host && config.port === port);
    if (found >= 0 && this.current.place !== this.#ways[found]?.place) this.#current = found;
  }

  /** After every way was refused. */
  beginAgain(): void {
    this.#current = 0;
  }
}

interface ClientMaker<C extends Client> {
  readonly create: (config: ClientConfig) => C;
  /** Asks a new session whether it may be used, and throws when not; a ServerRoleError leads to the next server. */
  readonly admit?: (client: C) => Promise<void>;
}

/**
 * Connects one client; `settings` are the program's own, which the connection string does not name. Of several servers
 * it takes the first that answers, has the role that the connection string asks for, and that `admit` does not refuse.
 *
 * @throws the error of the last server that was tried, or a ServerRoleError when one answered and has another role
 */
export async function openClient<C extends Client>(
  target: DatabaseTarget,
  settings: ClientConfig,
  { create, admit }: ClientMaker<C>,
): Promise<C> {
  const ways = new ConnectionWays(target);
  const refusals: unknown[] = [];
  for (;;) {
    const way = ways.current;
    const client = create({ ...settings, ...way.config });
    // Without a listener a failure after the promise below has settled would end the process.
    client.on('error', () => undefined);
    try {
      await client.connect();
      await admitted(client, async () => {
        await assertRole(client, way.role);
        await admit?.(client);
      });
      return client;
    } catch (error) {
      refusals.push(error);
      if (refusals.length >= Math.max(ways.size, 2) || !ways.turnFrom(way, error))
        throw worst(refusals) ?? error;
    }
  }
}

/** A connected client is ended when it is not admitted. */
async function admitted(client: Client, check: () => Promise<void>): Promise<void> {
  try {
    await check();
  } catch (error) {
    await client.end();
    throw error;
  }
}

/** Connects a plain client to the database that a connection string names. */
export function connectTo(url: string): Promise<Client> {
  return openClient(parseDatabaseUrl(url), {}, { create: (config) => new Client(config) });
}

/** The ways to one server. */
function configsOf(target: DatabaseTarget, server: ServerAddress): readonly ClientConfig[] {
  const plain = { ...configOf(target, server), ssl: false };
  const { tls } = target;
  if (tls.use === 'never' || server.host.startsWith('/')) return [plain];
  const encrypted: ClientConfig = {
    ...plain,
    ssl: tls.options,
    ...(tls.isDirect ? { sslnegotiation: 'direct' } : {}),
  };
  return { always: [encrypted], first: [encrypted, plain], last: [plain, encrypted] }[tls.use];
}

function configOf(
  target: DatabaseTarget,
  { host, port }: ServerAddress,
): ClientConfig & { readonly enableChannelBinding?: boolean } {
  const { options, applicationName, connectTimeoutMs, password } = target;
  return {
    user: target.user,
    host,
    port,
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

/** 57P03: it starts or ends; 57P01: it ends just now. */
const NOT_NOW: readonly (string | undefined)[] = ['57P03', '57P01'];

/** What pg says, without a code, of a server that does not answer or hangs up. */
const NO_ANSWER = /^(timeout expired|Connection terminated|Query read timeout)/;

/** Whether another server of the list may do better. libpq leaves a wrong password to the one that was asked. */
function isElsewhere(error: unknown): boolean {
  if (error instanceof DatabaseError) return NOT_NOW.includes(error.code);
  if (!(error instanceof Error)) return false;
  if (error instanceof ServerRoleError || NO_ANSWER.test(error.message)) return true;
  const code: unknown = Reflect.get(error, 'code');
  return typeof code === 'string' && /^E(?!RR_)[A-Z_]+$/.test(code);
}

/** What says most: a server that answered, then one that was reached. An error about missing TLS says least. */
function worst(refusals: readonly unknown[]): unknown {
  return (
    refusals.find((error) => error instanceof ServerRoleError) ??
    refusals.find((error) => !(error instanceof Error && NO_TLS.test(error.message)))
  );
}
