import type { ClientConfig } from 'pg';
import { errors } from './errors.ts';
import { readTls } from './tls-options.ts';
import type { TlsMode } from './tls-options.ts';

/** A database named by a connection string, in the form that the driver takes, with Prisma's own parameters read. */
export type ConnectionTarget = {
  user: string;
  password: string | undefined;
  /** A host name, an address, or the folder of a Unix socket. */
  host: string;
  port: number;
  database: string;
  /** The `schema` parameter: where `_prisma_migrations` and unqualified names live. */
  schema: string | undefined;
  tls: TlsMode;
  /** Start-up settings of the session, the `options` parameter. */
  options: string | undefined;
  applicationName: string;
  connectTimeoutMs: number;
};

const ENCODING =
  'special characters in user, password and database must be percent-encoded ' +
  '(# is %23, % is %25, / is %2F, ? is %3F, @ is %40)';
const DEFAULT_CONNECT_TIMEOUT_SECONDS = 5;

/**
 * Reads a `postgresql://` connection string as Prisma documents it. Parameters that steer Prisma's client and its pool
 * (`connection_limit`, `pool_timeout`, `pgbouncer`, `statement_cache_size`, `socket_timeout`) mean nothing to an engine
 * with one connection and are ignored, as are unknown ones.
 *
 * @throws EngineError P1013 if the string is not one; the message never repeats it.
 */
export function parseConnectionUrl(connectionString: string): ConnectionTarget {
  const url = toUrl(connectionString);
  const parameter = (name: string) => url.searchParams.get(name) || undefined;
  return {
    user: decode(url.username) || 'postgres',
    password: decode(url.password) || undefined,
    host: parameter('host') ?? (decode(url.hostname).replace(/^\[(.*)\]$/, '$1') || 'localhost'),
    port: Number(url.port || parameter('port') || 5432),
    database: decode(databasePart(connectionString)) || 'postgres',
    schema: parameter('schema'),
    tls: readTls(url.searchParams),
    options: parameter('options'),
    applicationName: parameter('application_name') ?? 'prisma-schema-engine',
    connectTimeoutMs: seconds(parameter('connect_timeout')) * 1000,
  };
}

/** The same server and credentials, another database. */
export function withDatabase(target: ConnectionTarget, database: string): ConnectionTarget {
  return { ...target, database };
}

/** The driver's configuration, all but TLS, which may be tried both ways. */
export function clientConfig(target: ConnectionTarget): ClientConfig {
  return {
    user: target.user,
    password: target.password,
    host: target.host,
    port: target.port,
    database: target.database,
    options: target.options,
    application_name: target.applicationName,
    connectionTimeoutMillis: target.connectTimeoutMs,
    keepAlive: true,
  };
}

function toUrl(connectionString: string): URL {
  const url = URL.parse(connectionString);
  if (url === null) {
    throw errors.invalidUrl(`it cannot be parsed; ${ENCODING}`);
  }
  if (!['postgresql:', 'postgres:'].includes(url.protocol)) {
    throw errors.invalidUrl(`it must start with postgresql:// or postgres://, not with ${url.protocol}`);
  }
  // An unencoded #, / or ? in a password ends the part of the URL that holds it; what follows would be taken for a host
  // and a database, and be printed.
  if (url.hash || url.pathname.includes('@') || /^\?[^=&]*@/.test(url.search)) {
    throw errors.invalidUrl(ENCODING);
  }
  return url;
}

/** Taken from the string itself: a URL's own path would make `/.` and `/..` into nothing, and so into another database. */
function databasePart(connectionString: string): string {
  return /^[^/]*\/\/[^/?#]*\/([^?#]*)/.exec(connectionString.trim())?.[1] ?? '';
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch (cause) {
    throw errors.invalidUrl(ENCODING, cause);
  }
}

function seconds(value: string | undefined): number {
  const number = value === undefined ? DEFAULT_CONNECT_TIMEOUT_SECONDS : Number(value);
  if (!Number.isFinite(number) || number < 0)
    throw errors.invalidUrl('connect_timeout must be a number of seconds');
  return number;
}
