import type { Connection } from './connection.ts';
import type { ConnectionTarget } from './connection-url.ts';
import type { ScriptFailure } from '../scripts/script-failure.ts';
import type { Trace } from '../trace.ts';

/** What one run of the engine shares: where the databases are, what is open, and what has gone wrong. */
export interface Session {
  readonly trace: Trace;
  readonly main: ConnectionTarget | undefined;
  /** The database that the operator keeps as the shadow database, if one is configured. */
  readonly shadow: ConnectionTarget | undefined;
  readonly advisoryLock: boolean;
  /** Fires when the process is told to stop. */
  readonly stop: AbortSignal;
  /** Sessions whose running statement must be cancelled when the process is told to stop. */
  readonly connections: Set<Connection>;
  /** What must be done before the process ends, such as dropping a shadow database. */
  readonly cleanups: Set<() => Promise<void>>;
  /**
   * An error after which the request under way cannot be trusted. It is kept here because the WebAssembly engine
   * swallows some errors and reduces others to a number: what was thrown is what must be shown.
   */
  failure: Error | undefined;
  /** The values of the row last written into the migration history. */
  recorded: readonly unknown[];
  /** The last script that failed: the engine itself would lose the SQLSTATE and the place. */
  scriptFailure: ScriptFailure | undefined;
  /** Who has the migration lock, if it had to be waited for. */
  lockHolder: string | undefined;
}

/** Runs all that is left to clean up. A failing step does not keep the others from running; the first is thrown. */
export async function cleanUp(session: Session): Promise<void> {
  const results = await Promise.allSettled([...session.cleanups].map((step) => step()));
  const failed = results.find((result) => result.status === 'rejected');
  if (failed) throw failed.reason;
}

/** Stops the statements that are running; their failure then ends the request under way. */
export async function cancelRunning(session: Session): Promise<void> {
  const results = await Promise.allSettled([...session.connections].map((connection) => connection.cancel()));
  for (const result of results) {
    if (result.status === 'rejected') session.trace('cannot cancel', String(result.reason));
  }
}
