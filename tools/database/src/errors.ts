/** Every way in which these commands fail on purpose. The code is for programs, the message for people. */
const ERROR_CODES = {
  CLI_ABSENT: 'the Prisma command line cannot be started',
  CREDENTIALS_REFUSED: 'the database server refuses the user or the password',
  DATABASE_ABSENT: 'there is no such database',
  DATABASE_UNREACHABLE: 'the database server does not answer',
  DATA_WOULD_BE_LOST: 'rows would be lost, so nothing was changed',
  DOWN_ABSENT: 'a migration has no way back',
  DOWN_FAILED: 'a down.sql failed, so nothing was changed',
  DOWN_NOT_TRANSACTIONAL: 'a down.sql cannot run inside a transaction, so nothing was changed',
  DUMP_ABSENT: 'the committed dump cannot be read',
  MIGRATION_EDITED: 'a migration is no longer what was applied, so nothing was changed',
  MIGRATION_MISSING: 'an applied migration is not in the migrations folder, so nothing was changed',
  MIGRATION_NOT_APPLIED: 'no such migration is applied',
  MIGRATION_UNFINISHED: 'a migration has failed or has not finished, so nothing was changed',
  MIGRATION_UNREADABLE: 'the migrations folder cannot be used',
  MIGRATIONS_LOCKED: 'another process is migrating this database',
  NOT_DISTRIBUTABLE: 'the database cannot be distributed, so nothing was changed',
  NOTHING_APPLIED: 'there is nothing to walk back',
  OPTION_INVALID: 'an option cannot be used',
  POOLED: 'this cannot run through a connection pooler',
  SCHEMA_CHANGED: 'the database changed on the way, so nothing was done',
  TABLES_BUSY: 'the tables are in use, so nothing was changed',
  URL_INVALID: 'DATABASE_URL is not a PostgreSQL connection string',
} as const;

export type MigrateErrorCode = keyof typeof ERROR_CODES;

export class MigrateError extends Error {
  override readonly name = 'MigrateError';
  readonly code: MigrateErrorCode;

  /** `advice` says what happened in particular and what to do about it. */
  constructor(code: MigrateErrorCode, advice: string, options?: ErrorOptions) {
    super(`${ERROR_CODES[code]}: ${advice}`, options);
    this.code = code;
  }
}

/** The `code` of a system or PostgreSQL error (ENOENT, 55006), or undefined. */
export function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** What an error says, for a sentence of ours. */
export function messageOf(error: unknown): string {
  // Node's error for a host with several addresses says nothing itself.
  if (error instanceof AggregateError && error.message === '') return error.errors.map(messageOf).join('; ');
  return error instanceof Error ? error.message : String(error);
}
