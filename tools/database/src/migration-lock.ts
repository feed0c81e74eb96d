import { setTimeout as sleep } from 'node:timers/promises';
import { LOCK_HOLDER } from '@repo/schema-engine/lock-holder';
import { POOLED, isPooled } from '@repo/schema-engine/pooler';
import type { Client } from 'pg';
import { withConnection } from './connection.ts';
import { MigrateError } from './errors.ts';

/** The advisory lock that Prisma's migrate commands take on a database. */
export const MIGRATION_LOCK = 72_707_369;

const POLL_MILLISECONDS = 200;

/** Waits that are over sooner are not worth a word. */
const QUIET_MILLISECONDS = 2_000;

/** How often to repeat that another session is waited for. */
const REMIND_MILLISECONDS = 10_000;

export interface LockOptions {
  /** How long to wait for another's deploy or rollback. */
  readonly waitMilliseconds: number;
  /** Called when it has to be waited for, again and again, with a description of the session that has the lock. */
  readonly onWait?: ((holder: string) => void) | undefined;
}

/**
 * Takes Prisma's migration lock for this session, so that no deploy can run at the same time.
 *
 * It asks again and again instead of waiting within a statement: a statement that waits holds a snapshot, and a CREATE
 * INDEX CONCURRENTLY of the session that has the lock would wait for this snapshot in turn.
 *
 * @throws {MigrateError} POOLED, or MIGRATIONS_LOCKED after the time to wait
 */
export async function takeMigrationLock(
  { client, url }: { client: Client; url: string },
  options: LockOptions,
): Promise<void> {
  await refusePooler({ client, url });
  await waitUntil(client, options, async () => {
    const { rows } = await client.query<{ taken: boolean }>('SELECT pg_try_advisory_lock($1) AS taken', [
      MIGRATION_LOCK,
    ]);
    return rows[0]?.taken === true;
  });
}

/**
 * Waits until nobody has the migration lock, and does not take it.
 *
 * @throws {MigrateError} MIGRATIONS_LOCKED after the time to wait
 */
export async function awaitMigrationLock(client: Client, options: LockOptions): Promise<void> {
  await waitUntil(client, options, async () => (await holderOf(client)) === undefined);
}

/** @throws {MigrateError} POOLED behind a pooler that gives each transaction another session */
async function refusePooler({ client, url }: { client: Client; url: string }): Promise<void> {
  const ask = (session: Client) => async () => {
    const { rows } = await session.query<{ pid: string }>('SELECT pg_backend_pid()::text AS pid');
    return rows[0]?.pid ?? '';
  };
  const pooled = await withConnection(url, (other) => isPooled(ask(client), ask(other)));
  if (pooled) throw new MigrateError('POOLED', POOLED);
}

async function waitUntil(
  client: Client,
  { waitMilliseconds, onWait }: LockOptions,
  isDone: () => Promise<boolean>,
): Promise<void> {
  const begin = Date.now();
  let nextWord = begin + Math.min(QUIET_MILLISECONDS, waitMilliseconds);
  for (;;) {
    if (await isDone()) return;
    const now = Date.now();
    if (now >= begin + waitMilliseconds) throw locked(await holderOf(client));
    if (now >= nextWord) {
      const holder = await holderOf(client);
      if (holder !== undefined) onWait?.(holder);
      nextWord = now + REMIND_MILLISECONDS;
    }
    await sleep(POLL_MILLISECONDS);
  }
}

async function holderOf(client: Client): Promise<string | undefined> {
  const { rows } = await client.query<{ holder: string }>(LOCK_HOLDER, [MIGRATION_LOCK]);
  return rows[0]?.holder;
}

function locked(holder: string | undefined): MigrateError {
  const who = holder === undefined ? '' : ` The migration lock is held by ${holder}.`;
  return new MigrateError(
    'MIGRATIONS_LOCKED',
    `a deploy or a rollback has been under way all the time.${who} Wait until it has ended and try again; one that is ` +
      'idle for long was left behind, by a pooler or a process that hangs, and can be ended.',
  );
}
