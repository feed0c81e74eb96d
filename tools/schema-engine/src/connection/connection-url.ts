import { DatabaseUrlError, parseDatabaseUrl } from '@repo/database-url';
import type { DatabaseTarget } from '@repo/database-url';
import { ERRORS } from '../errors.ts';

/** A database named by a connection string. */
export type ConnectionTarget = DatabaseTarget;

/**
 * Reads a `postgresql://` connection string, as everything else that connects reads it.
 *
 * @throws EngineError P1013 if the string is not one, P1011 if a certificate cannot be read; the message never repeats it
 */
export function parseConnectionUrl(connectionString: string): ConnectionTarget {
  try {
    return parseDatabaseUrl(connectionString);
  } catch (error) {
    if (!(error instanceof DatabaseUrlError)) throw error;
    throw error.fault === 'file'
      ? ERRORS.tls(error.message, error.cause)
      : ERRORS.invalidUrl(error.message, error.cause);
  }
}

/** The same server and credentials, another database. */
export function withDatabase(target: ConnectionTarget, database: string): ConnectionTarget {
  return { ...target, database };
}
