import { DatabaseUrlError } from './database-url-error.ts';
import { readServers, splitAuthority } from './server-list.ts';
import type { ServerAddress } from './server-list.ts';
import { SERVER_ROLES } from './server-role.ts';
import type { ServerRole } from './server-role.ts';
import { readTlsMode } from './tls-mode.ts';
import type { TlsMode } from './tls-mode.ts';
import { fault, oneOf, readParameters } from './url-parameters.ts';

/** A database named by a connection string, in the same words for everything that connects. */
export interface DatabaseTarget {
  readonly user: string;
  /** Undefined: the driver asks PGPASSWORD and the password file. */
  readonly password: string | undefined;
  /** Of the first server. */
  readonly host: string;
  readonly port: number;
  /** All of them, in the order in which they are tried. */
  readonly servers: readonly ServerAddress[];
  /** Which of them may be used. */
  readonly role: ServerRole;
  readonly database: string;
  /** Where Prisma's history and unqualified names of migrations live. */
  readonly schema: string | undefined;
  readonly tls: TlsMode;
  /** Start-up settings of the session: `-c name=value`. */
  readonly options: string | undefined;
  /** Undefined: whatever the program calls itself. */
  readonly applicationName: string | undefined;
  /** How long to wait for a connection; 0 for no limit; undefined: the program's own limit. */
  readonly connectTimeoutMs: number | undefined;
  /** Whether the password is bound to the TLS connection where the server can (SCRAM-SHA-256-PLUS). */
  readonly bindsChannel: boolean;
}

const ENCODING =
  'special characters in user, password and database must be percent-encoded ' +
  '(# is %23, % is %25, / is %2F, ? is %3F, @ is %40)';

/**
 * Reads a `postgresql://` connection string: what libpq documents, and Prisma's `schema` and TLS parameters.
 *
 * @throws DatabaseUrlError whose message never repeats the string
 */
export function parseDatabaseUrl(connectionString: string): DatabaseTarget {
  const { url, authority } = toUrl(connectionString);
  const parameters = readParameters(url.searchParams);
  const named = authority === undefined ? ofUrl(url) : splitAuthority(authority);
  const servers = readServers({
    hosts: parameters.get('host') ?? decode(named.hosts),
    ports: named.ports?.replaceAll(',', '') ? named.ports : parameters.get('port'),
  });
  const [{ host, port }] = servers;
  return {
    user: parameters.get('user') ?? (decode(url.username) || 'postgres'),
    password: parameters.get('password') ?? (decode(url.password) || undefined),
    host,
    port,
    servers,
    role: oneOf(parameters, 'target_session_attrs', SERVER_ROLES) ?? 'any',
    database: parameters.get('dbname') ?? (decode(databasePart(connectionString)) || 'postgres'),
    schema: parameters.get('schema'),
    tls: servers.every((server) => server.host.startsWith('/')) ? { use: 'never' } : readTlsMode(parameters),
    options: parameters.get('options'),
    applicationName: parameters.get('application_name'),
    connectTimeoutMs: millisecondsOf(parameters.get('connect_timeout')),
    bindsChannel:
      (oneOf(parameters, 'channel_binding', ['disable', 'prefer', 'require']) ?? 'disable') !== 'disable',
  };
}

/** The parsed string. Several servers are no URL to the parser: it gets the first, and the others stand in `authority`. */
function toUrl(connectionString: string): { readonly url: URL; readonly authority?: string } {
  const text = connectionString.trim();
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(text)?.[1]?.toLowerCase();
  if (scheme !== undefined && scheme !== 'postgresql' && scheme !== 'postgres') {
    throw syntax(`it must start with postgresql:// or postgres://, not with ${scheme}:`);
  }
  const [, start = '', authority = '', rest = ''] =
    /^([^/?#]*\/\/(?:[^/?#]*@)?)([^/?#@]*,[^/?#@]*)(.*)$/s.exec(text) ?? [];
  const single = authority === '' ? text : `${start}${authority.split(',')[0] || 'localhost'}${rest}`;
  // A user without a host is no URL to the parser; libpq means the socket or this machine by it.
  const url =
    URL.parse(single) ?? URL.parse(single.replace(/^([^/?#]*\/\/[^/?#]*@)(?=[/?]|$)/, '$1localhost'));
  if (url === null) throw syntax(`it cannot be parsed; ${ENCODING}`);
  // An unencoded #, / or ? in a password ends the part of the URL that holds it; what follows would be taken for a host
  // and a database, and be printed.
  if (url.hash || url.pathname.includes('@') || /^\?[^=&]*@/.test(url.search)) throw syntax(ENCODING);
  return authority === '' ? { url } : { url, authority };
}

function ofUrl(url: URL): { readonly hosts: string; readonly ports: string | undefined } {
  return { hosts: url.hostname.replace(/^\[(.*)\]$/, '$1'), ports: url.port || undefined };
}

/** Taken from the string itself: a URL's own path would make `/.` and `/..` into nothing, and so into another database. */
function databasePart(connectionString: string): string {
  return /^[^/]*\/\/[^/?#]*\/([^?#]*)/.exec(connectionString.trim())?.[1] ?? '';
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch (cause) {
    throw new DatabaseUrlError('syntax', ENCODING, { cause });
  }
}

function millisecondsOf(seconds: string | undefined): number | undefined {
  if (seconds === undefined) return undefined;
  if (!/^[0-9]{1,6}$/.test(seconds)) throw fault('connect_timeout must be a whole number of seconds');
  return Number(seconds) * 1000;
}

function syntax(message: string): DatabaseUrlError {
  return new DatabaseUrlError('syntax', message);
}
