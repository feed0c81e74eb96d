import { setTimeout as sleep } from 'node:timers/promises';
import { Connection } from './connection.ts';
import { ERRORS } from '../errors.ts';
import { LOCK_HOLDER } from './lock-holder.ts';
import { POOLED, isPooled } from './pooler.ts';

const LOCK_STATEMENT = /^\s*SELECT pg_advisory_lock\((\d+)\)/i;
const POLL_MS = 200;

/** The number of the advisory lock that a statement waits for, or undefined if the statement is another. */
export function lockNumber(sql: string): string | undefined {
  return LOCK_STATEMENT.exec(sql)?.[1];
}

/** Attempts after which it is worth asking who has the lock, and again every so many. */
const ASK_EVERY = 10;

interface Waiting {
  readonly stop: AbortSignal;
  /** Called with a description of the session that has the lock. */
  readonly onHeld: (holder: string) => void;
}

/**
 * Takes a session lock by asking for it again and again, with no limit: the engine gives up by itself after ten
 * seconds (P1002).
 *
 * A blocking `pg_advisory_lock` would be a statement that runs, with a snapshot, as long as it waits. The holder's
 * CREATE INDEX CONCURRENTLY waits for all older snapshots, so the two would wait for each other: a deadlock.
 */
export async function waitForLock(
  connection: Connection,
  lock: string,
  { stop, onHeld }: Waiting,
): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    const { rows } = await connection.query('SELECT pg_try_advisory_lock($1)', [lock]);
    if (rows[0]?.[0] === 't') return;
    if (attempt % ASK_EVERY === 0) {
      const { rows: holders } = await connection.query(LOCK_HOLDER, [lock]);
      const holder = holders[0]?.[0];
      if (typeof holder === 'string') onHeld(holder);
    }
    await sleep(POLL_MS, undefined, { signal: stop }).catch(() => {
      throw ERRORS.stopped();
    });
  }
}

/**
 * Refuses to go on behind a pooler that gives each transaction another session.
 *
 * @throws EngineError
 */
export async function refusePooler(connection: Connection): Promise<void> {
  const other = await Connection.open(connection.target);
  const ask = (session: Connection) => async () => {
    const { rows } = await session.query('SELECT pg_backend_pid()');
    return String(rows[0]?.[0]);
  };
  try {
    if (await isPooled(ask(connection), ask(other))) throw ERRORS.pooled(POOLED);
  } finally {
    await other.close();
  }
}
