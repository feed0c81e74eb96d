import type { Datasource } from './arguments.ts';
import { Connection } from './connection/connection.ts';
import { parseConnectionUrl } from './connection/connection-url.ts';
import type { ConnectionTarget } from './connection/connection-url.ts';
import { createDatabase, dropDatabase } from './database-creation.ts';
import { ERRORS } from './errors.ts';
import { logFailure, logInfo } from './stderr-log.ts';

/** The commands that need no engine. Each returns the message for its success. */
const COMMANDS: Readonly<Record<string, (target: ConnectionTarget) => Promise<string>>> = {
  'can-connect-to-database': async (target) => {
    const connection = await Connection.open(target);
    await connection.close();
    return 'Connection successful';
  },
  'create-database': async (target) => {
    await createDatabase(target);
    return `Database '${target.database}' was successfully created.`;
  },
  'drop-database': async (target) => {
    await dropDatabase(target);
    return 'The database was successfully dropped.';
  },
};

/**
 * Runs one `cli` sub-command: the CLI checks with them whether the database exists, and creates it.
 *
 * @returns the exit code; what happened is on standard error
 */
export async function runCommand(command: string, { url }: Datasource): Promise<number> {
  logInfo(`Starting schema engine command ${command}`);
  try {
    const run = COMMANDS[command];
    if (!run) throw ERRORS.unknownCommand(command);
    if (url === undefined) throw ERRORS.noUrl();
    logInfo(await run(parseConnectionUrl(url)));
    return 0;
  } catch (error) {
    logFailure(error);
    return 1;
  }
}
