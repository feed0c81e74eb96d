/** Every way in which this package fails on purpose. The code is for programs, the message for people. */
const ERROR_CODES = {
  ACCOUNT_MISSING: 'no unprivileged account to run the server',
  ALREADY_RUNNING: 'a server already runs in this data directory',
  BINARIES_MISSING: 'no PostgreSQL for this platform',
  BINARIES_UNUSABLE: 'the PostgreSQL programs cannot be run',
  DIRECTORY_UNREACHABLE: 'the data directory cannot be reached',
  DIRECTORY_UNSUITABLE: 'the data directory holds something else',
  INITIALISATION_FAILED: 'initdb failed',
  MIGRATION_FAILED: 'the database could not be migrated',
  NAME_INVALID: 'not a usable database name',
  START_FAILED: 'the server did not start',
  STOP_FAILED: 'the server did not stop',
  TEMPLATE_BUSY: 'the template database is in use',
  TEST_SERVER_UNUSABLE: 'the server in TEST_DATABASE_URL cannot be used',
  VERSION_MISMATCH: 'the data directory belongs to another major version',
} as const;

export type PostgresErrorCode = keyof typeof ERROR_CODES;

export class PostgresError extends Error {
  override readonly name = 'PostgresError';
  readonly code: PostgresErrorCode;

  /** `advice` says what happened in particular and what to do about it. */
  constructor(code: PostgresErrorCode, advice: string, options?: ErrorOptions) {
    super(`${ERROR_CODES[code]}: ${advice}`, options);
    this.code = code;
  }
}

/** The `code` of a system or PostgreSQL error (ENOENT, 55006), or undefined. */
export function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
