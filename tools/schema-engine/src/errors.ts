/**
 * An error to show to the person at the CLI. `code` is one of Prisma's own (P1000 ...), so that scripts which react to
 * the native engine's codes work unchanged; errors that Prisma has no code for have none.
 */
export class EngineError extends Error {
  override readonly name = 'EngineError';
  readonly code: string | undefined;
  readonly meta: Record<string, string> | undefined;

  constructor(
    message: string,
    details: { code?: string; meta?: Record<string, string>; cause?: unknown } = {},
  ) {
    super(message, { cause: details.cause });
    this.code = details.code;
    this.meta = details.meta;
  }
}

/** A script that the server ran but that cannot be accepted. `code` is an SQLSTATE. */
export class ScriptError extends Error {
  override readonly name = 'ScriptError';
  readonly code: string;

  constructor(message: string, code: string) {
    super(message);
    this.code = code;
  }
}

/** A bug in the WebAssembly engine, which can do nothing more in this process. */
export class EnginePanic extends Error {
  override readonly name = 'EnginePanic';
}

/** Where a server is, for messages: never with user or password. */
interface Place {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
}

const address = ({ host, port }: Place) => `\`${host}:${port}\``;

/** Every error that the engine itself raises, one entry each. */
export const ERRORS = {
  authenticationFailed: (place: Place, cause: unknown) =>
    new EngineError(
      `Authentication failed at the database server ${address(place)}: ` +
        `it does not accept the credentials given for \`${place.user}\`. Check user and password in the datasource URL.`,
      { code: 'P1000', cause },
    ),
  notReachable: (place: Place, cause: unknown) =>
    new EngineError(
      `Can't reach database server at ${address(place)} (${reason(cause)}). ` +
        'Check that it is running and that host and port in the datasource URL are right.',
      { code: 'P1001', cause },
    ),
  noDatabase: (place: Place, cause: unknown) =>
    new EngineError(`Database \`${place.database}\` does not exist on the server at ${address(place)}.`, {
      code: 'P1003',
      cause,
    }),
  accessDenied: (place: Place, cause: unknown) =>
    new EngineError(
      `User \`${place.user}\` has no access to database \`${place.database}\`: ${reason(cause)}`,
      {
        code: 'P1010',
        cause,
      },
    ),
  tls: (detail: string, cause: unknown) =>
    new EngineError(`No TLS connection could be opened: ${detail}.`, { code: 'P1011', cause }),
  invalidUrl: (detail: string, cause?: unknown) =>
    new EngineError(`The datasource URL is not a PostgreSQL connection string: ${detail}.`, {
      code: 'P1013',
      cause,
    }),
  connectionLost: (place: Place, cause: unknown) =>
    new EngineError(
      `The connection to the database server at ${address(place)} was lost: ${reason(cause)}.`,
      {
        code: 'P1017',
        cause,
      },
    ),
  stopped: () => new EngineError('The schema engine was told to stop before it had finished.'),
  creationFailed: (database: string, cause: unknown) =>
    new EngineError(`Failed to create database \`${database}\`: ${reason(cause)}`, { code: 'P3000', cause }),
  noMaintenanceDatabase: (place: Place, tried: readonly string[]) =>
    new EngineError(
      `Database \`${place.database}\` cannot be created: none of ${tried.map((name) => `\`${name}\``).join(', ')} ` +
        `on the server at ${address(place)} can be connected to, and creating one needs a connection. Create it by hand.`,
      { code: 'P3000' },
    ),
  shadowCreationFailed: (cause: unknown) =>
    new EngineError(
      `The shadow database could not be created: ${reason(cause)}. Give the database user the right to create ` +
        'databases (ALTER ROLE ... CREATEDB), or set `shadowDatabaseUrl` to an empty database kept for this purpose. ' +
        'See https://pris.ly/d/migrate-shadow',
      { code: 'P3014', cause },
    ),
  shadowIsMain: () =>
    new EngineError(
      'The shadow database you configured appears to be the same as the main database. Everything in a shadow ' +
        'database is deleted, so nothing was done. Set `shadowDatabaseUrl` to another, empty database, or remove it.',
    ),
  shadowResetFailed: (cause: unknown) =>
    new EngineError(`The database that \`shadowDatabaseUrl\` names could not be emptied: ${reason(cause)}`, {
      cause,
    }),
  shadowNotDropped: (name: string, cause: unknown) =>
    new EngineError(
      `The shadow database \`${name}\` could not be dropped; drop it by hand: ${reason(cause)}`,
      { cause },
    ),
  pooled: (advice: string) => new EngineError(advice),
  lockHeld: (message: string, holder: string) =>
    new EngineError(`${message}\n\nIt is held by ${holder}.`, { code: 'P1002' }),
  openTransaction: () =>
    new ScriptError(
      'The script began a transaction and did not end it, so it was rolled back. ' +
        'Remove BEGIN: a script runs as one transaction by itself. If it must have one, end it with COMMIT.',
      '25001',
    ),
  scriptFailed: (description: string, state: string, cause: unknown) =>
    new EngineError(
      `The script failed (SQLSTATE ${state}). What it had not committed by itself is undone.\n\nERROR: ${description}\n`,
      { cause },
    ),
  migrationFileMissing: (migrations: readonly string[]) =>
    new EngineError(
      `The migration folder ${migrations.join(', ')} has no file migration.sql that can be read. Restore the file, ` +
        'or delete the folder.',
      { code: 'P3015' },
    ),
  migrationText: (faults: readonly string[]) =>
    new EngineError(`No migration was applied. ${faults.map((fault) => `The file ${fault}.`).join(' ')}`, {
      code: 'P3015',
    }),
  historyUnreadable: (cause: unknown) =>
    new EngineError(`The migration history in \`_prisma_migrations\` cannot be read: ${reason(cause)}`, {
      cause,
    }),
  noUrl: () =>
    new EngineError(
      'This needs a database, and `datasource.url` is not set in the Prisma configuration. ' +
        'See https://pris.ly/d/config-url',
    ),
  sqlComment: (line: string, detail: string) =>
    new EngineError(`Cannot read the comment "${line}": ${detail}.`),
  unnamedColumn: () =>
    new EngineError(
      'A column of the result has no name. Give every expression an alias: SELECT ... AS name.',
    ),
  noNativeEngine: (path: string) =>
    new EngineError(
      `There is no executable schema engine at ${path}. Correct the path, or unset it to use the built-in.`,
    ),
  notJson: (what: string) => new EngineError(`${what} is not a JSON object.`),
  unknownMethod: (method: string) => new EngineError(`The schema engine has no method \`${method}\`.`),
  unknownCommand: (command: string) => new EngineError(`The schema engine has no command \`${command}\`.`),
  panicked: (message: string) =>
    new EnginePanic(
      `The WebAssembly schema engine panicked, which is a bug in it, and can do no more: ${message}`,
    ),
};

function reason(cause: unknown): string {
  if (cause instanceof AggregateError && cause.message === '') return cause.errors.map(reason).join('; ');
  return cause instanceof Error ? cause.message : String(cause);
}
