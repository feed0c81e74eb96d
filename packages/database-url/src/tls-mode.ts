import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';
import { DatabaseUrlError } from './database-url-error.ts';
import { fault, oneOf } from './url-parameters.ts';

/** `never`, `first` (then without), `last` (without first), `always`. */
export type TlsMode =
  | { readonly use: 'never' }
  | {
      readonly use: 'first' | 'last' | 'always';
      readonly options: ConnectionOptions;
      /** Begins with TLS at once instead of asking the server for it. */
      readonly isDirect: boolean;
    };

type Parameters = ReadonlyMap<string, string>;

const USES = {
  disable: 'never',
  allow: 'last',
  prefer: 'first',
  require: 'always',
  'verify-ca': 'always',
  'verify-full': 'always',
} as const;

type Mode = keyof typeof USES;
const MODES = Object.keys(USES) as Mode[];

/** What is checked of the server's certificate: nothing, who signed it, or that and the host name in it. */
type Trust = 'any' | 'authority' | 'host';

/**
 * Reads the TLS parameters as libpq documents them, and Prisma's (`sslaccept`, `sslidentity`, `sslpassword`, and `sslcert`
 * without `sslkey` as the authority's certificate). Files are relative to the working folder.
 */
export function readTlsMode(parameters: Parameters): TlsMode {
  const mode = modeOf(parameters);
  const use = USES[mode];
  if (use === 'never') return { use };
  const isDirect = oneOf(parameters, 'sslnegotiation', ['postgres', 'direct']) === 'direct';
  if (isDirect && use !== 'always') throw fault('sslnegotiation=direct needs sslmode=require or stronger');
  const { authority, ...own } = certificates(parameters);
  const trust = trustOf(mode, parameters, authority !== undefined);
  return {
    use,
    isDirect,
    options: {
      ...own,
      ...(authority === undefined ? {} : { ca: authority }),
      rejectUnauthorized: trust !== 'any',
      // An authority of one's own signs for nobody else, so its word is enough.
      ...(trust === 'authority' ? { checkServerIdentity: () => undefined } : {}),
    },
  };
}

function modeOf(parameters: Parameters): Mode {
  const value = oneOf(parameters, 'sslmode', MODES);
  const named = MODES.find((mode) => mode === value);
  // JDBC's spelling, which libpq knows as well.
  const ssl = oneOf(parameters, 'ssl', ['true', '1', 'false', '0']);
  const wanted = ssl === 'true' || ssl === '1' ? 'require' : 'disable';
  if (ssl === undefined) return named ?? 'prefer';
  if (named !== undefined) throw fault('ssl and sslmode say the same thing; leave sslmode');
  return wanted;
}

function trustOf(mode: Mode, parameters: Parameters, hasAuthority: boolean): Trust {
  if (parameters.get('sslrootcert') === 'system') {
    if (mode !== 'verify-full') throw fault('sslrootcert=system needs sslmode=verify-full');
    return 'host';
  }
  const accept = oneOf(parameters, 'sslaccept', ['strict', 'accept_invalid_certs']);
  if (mode === 'verify-full' || accept === 'strict') return 'host';
  if (mode === 'verify-ca' && !hasAuthority) {
    throw fault(
      'sslmode=verify-ca needs sslrootcert, the file of the authority; or write sslmode=verify-full',
    );
  }
  const trustsAuthority = mode === 'verify-ca' || (mode === 'require' && parameters.has('sslrootcert'));
  return trustsAuthority ? 'authority' : 'any';
}

interface Certificates {
  readonly authority?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
  readonly pfx?: Buffer;
  readonly passphrase?: string;
}

function certificates(parameters: Parameters): Certificates {
  const file = (name: string): Buffer | undefined => readFile(name, parameters.get(name));
  const root = parameters.get('sslrootcert') === 'system' ? undefined : file('sslrootcert');
  const [key, certificate, identity] = [file('sslkey'), file('sslcert'), file('sslidentity')];
  if (key !== undefined && certificate === undefined)
    throw fault('sslkey needs sslcert, the certificate of the key');
  const authority = root ?? (key === undefined ? certificate : undefined);
  const passphrase = parameters.get('sslpassword');
  return {
    ...(authority === undefined ? {} : { authority }),
    ...(key === undefined || certificate === undefined ? {} : { key, cert: certificate }),
    ...(identity === undefined ? {} : { pfx: identity }),
    ...(passphrase === undefined ? {} : { passphrase }),
  };
}

function readFile(name: string, path: string | undefined): Buffer | undefined {
  if (path === undefined) return undefined;
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new DatabaseUrlError('file', `the file that ${name} names cannot be read: ${path}`, { cause });
  }
}
