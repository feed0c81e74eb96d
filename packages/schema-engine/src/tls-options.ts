import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';
import { errors } from './errors.ts';

/** How a connection is encrypted: `prefer` tries TLS and falls back to none when the server has none. */
export type TlsMode = { use: 'never' } | { use: 'prefer' | 'always'; options: ConnectionOptions };

const USE_BY_MODE: Readonly<Record<string, TlsMode['use']>> = {
  disable: 'never',
  allow: 'prefer',
  prefer: 'prefer',
  require: 'always',
  'verify-ca': 'always',
  'verify-full': 'always',
};

/**
 * Reads the TLS parameters of a connection string: Prisma's (`sslmode`, `sslaccept`, `sslcert` as the authority's
 * certificate, `sslidentity`, `sslpassword`) and libpq's (`sslrootcert`, `sslcert` with `sslkey`, `verify-ca`,
 * `verify-full`). Like Prisma, it prefers TLS and trusts any certificate unless told to be strict.
 * File names are relative to the working folder, which is that of the Prisma configuration.
 */
export function readTls(parameters: URLSearchParams): TlsMode {
  const mode = parameters.get('sslmode') ?? 'prefer';
  const use = USE_BY_MODE[mode];
  if (use === undefined)
    throw errors.invalidUrl(`sslmode must be one of ${Object.keys(USE_BY_MODE).join(', ')}`);
  if (use === 'never') return { use };
  const strict = mode.startsWith('verify-') || parameters.get('sslaccept') === 'strict';
  return {
    use,
    options: {
      rejectUnauthorized: strict,
      ...(mode === 'verify-ca' ? { checkServerIdentity: () => undefined } : {}),
      ...certificates(parameters),
    },
  };
}

function certificates(parameters: URLSearchParams): ConnectionOptions {
  const file = (name: string) => readParameterFile(name, parameters.get(name));
  const key = file('sslkey');
  const certificate = file('sslcert');
  const authority = file('sslrootcert') ?? (key ? undefined : certificate);
  const identity = file('sslidentity');
  const passphrase = parameters.get('sslpassword');
  return {
    ...(authority ? { ca: authority } : {}),
    ...(key && certificate ? { key, cert: certificate } : {}),
    ...(identity ? { pfx: identity } : {}),
    ...(passphrase ? { passphrase } : {}),
  };
}

function readParameterFile(name: string, path: string | null): Buffer | undefined {
  if (!path) return undefined;
  try {
    return readFileSync(path);
  } catch (cause) {
    throw errors.tls(`the file that ${name} names cannot be read: ${path}`, cause);
  }
}
