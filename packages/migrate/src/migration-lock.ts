import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from 'pg';
import { MigrateError } from './errors.ts';

/** The advisory lock that Prisma's migrate commands take on a database. */
export const migrationLock = 72_707_369;

const pollMilliseconds = 200;

export type LockOptions = {
  /** How long to wait for another's deploy or rollback. */
  waitMilliseconds: number;
  /** Called once, when it has to be waited for. */
  onWait?: () => void;
};

/**
 * Takes Prisma's migration lock for this session, so that no deploy can run at the same time.
 *
 * It asks again and again instead of waiting within a statement: a statement that waits holds a snapshot, for which the
 * CREATE INDEX CONCURRENTLY of whoever has the lock would wait in turn.
 *
 * @throws {MigrateError} MIGRATIONS_LOCKED after the time to wait
 */
export async function takeMigrationLock(
  client: Client,
  { waitMilliseconds, onWait }: LockOptions,
): Promise<void> {
  const end = Date.now() + waitMilliseconds;
  for (let attempt = 1; ; attempt += 1) {
    const { rows } = await client.query<{ taken: boolean }>('SELECT pg_try_advisory_lock($1) AS taken', [
      migrationLock,
    ]);
    if (rows[0]?.taken) return;
    if (attempt === 1) onWait?.();
    if (Date.now() >= end) break;
    await sleep(pollMilliseconds);
  }
  throw new MigrateError(
    'MIGRATIONS_LOCKED',
    'a deploy or a rollback has been under way all the time. Wait until it has ended and try again.',
  );
}
