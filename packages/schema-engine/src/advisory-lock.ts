import { setTimeout as sleep } from 'node:timers/promises';
import type { Connection } from './connection.ts';
import { errors } from './errors.ts';

const LOCK_STATEMENT = /^\s*SELECT pg_advisory_lock\((\d+)\)/i;
const POLL_MS = 200;

/** The number of the advisory lock that a statement waits for, or undefined if the statement is another. */
export function lockNumber(sql: string): string | undefined {
  return LOCK_STATEMENT.exec(sql)?.[1];
}

/**
 * Takes a session lock by asking for it again and again, with no limit: the engine gives up by itself after ten
 * seconds (P1002).
 *
 * A blocking `pg_advisory_lock` would be a statement that runs, with a snapshot, as long as it waits. The holder's
 * CREATE INDEX CONCURRENTLY waits for all older snapshots, so the two would wait for each other: a deadlock.
 */
export async function waitForLock(connection: Connection, lock: string, stop: AbortSignal): Promise<void> {
  for (;;) {
    const { rows } = await connection.query('SELECT pg_try_advisory_lock($1)', [lock]);
    if (rows[0]?.[0] === 't') return;
    await sleep(POLL_MS, undefined, { signal: stop }).catch(() => {
      throw errors.stopped();
    });
  }
}
