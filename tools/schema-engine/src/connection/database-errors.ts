import { DatabaseError } from 'pg';
import type { ConnectionTarget } from './connection-url.ts';
import { EngineError, ERRORS } from '../errors.ts';

/** What the SQLSTATEs of a refused connection mean. */
const BY_STATE: Readonly<Record<string, (target: ConnectionTarget, cause: unknown) => EngineError>> = {
  '28P01': ERRORS.authenticationFailed, // invalid_password
  '28000': ERRORS.authenticationFailed, // invalid_authorization_specification
  '3D000': ERRORS.noDatabase, // invalid_catalog_name
  '42501': ERRORS.accessDenied, // insufficient_privilege: no CONNECT on the database
};

/** Node's codes for certificates that it does not accept and handshakes that fail. */
const TLS_CODES = /^(ERR_TLS|ERR_SSL|CERT_|DEPTH_|SELF_SIGNED|UNABLE_TO|HOSTNAME_MISMATCH|EPROTO)/;

/** What the driver says, without a code, when the server does not answer the request for TLS with yes. */
const NO_TLS = /does not support SSL connections|error establishing an SSL connection/;

/** Why a connection could not be opened, in Prisma's codes. */
export function connectFailure(cause: unknown, target: ConnectionTarget): EngineError {
  if (cause instanceof EngineError) return cause;
  if (cause instanceof DatabaseError) {
    const known = BY_STATE[cause.code ?? ''];
    return known ? known(target, cause) : new EngineError(cause.message, { cause });
  }
  const message = cause instanceof Error ? cause.message : String(cause);
  if (TLS_CODES.test(systemCode(cause)) || NO_TLS.test(message)) return ERRORS.tls(message, cause);
  // The driver's own complaint when the server wants a password and the connection string has none.
  if (message.startsWith('SASL:')) return ERRORS.authenticationFailed(target, cause);
  return ERRORS.notReachable(target, cause);
}

/** Whether the server answered with one of these SQLSTATEs. */
export function hasState(error: unknown, ...states: string[]): boolean {
  return error instanceof DatabaseError && error.code !== undefined && states.includes(error.code);
}

function systemCode(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return systemCode(error.errors[0]);
  const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined;
  return typeof code === 'string' ? code : '';
}
