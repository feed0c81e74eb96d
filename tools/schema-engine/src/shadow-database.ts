import { randomBytes, randomUUID } from 'node:crypto';
import { Connection } from './connection/connection.ts';
import { withDatabase } from './connection/connection-url.ts';
import type { ConnectionTarget } from './connection/connection-url.ts';
import { createEmptyDatabase, dropWithSessions } from './database-creation.ts';
import { emptyDatabase } from './empty-database.ts';
import { EngineError, ERRORS } from './errors.ts';
import type { Session } from './connection/session.ts';

interface ShadowDatabase {
  readonly target: ConnectionTarget;
  readonly drop: () => Promise<void>;
}

/**
 * A database, never the main one, on which the migration history can be replayed: the one that `shadowDatabaseUrl`
 * names, emptied first, or a new one with a random name that is dropped afterwards.
 *
 * @throws EngineError if the configured one is the main one, cannot be emptied, or P3014 if none can be created
 */
export async function openShadowDatabase(session: Session): Promise<ShadowDatabase> {
  const { main, shadow } = session;
  if (shadow) {
    await prepareShadowDatabase(shadow, main);
    return { target: shadow, drop: () => Promise.resolve() };
  }
  if (!main) throw ERRORS.noUrl();
  return createShadowDatabase(session, main);
}

async function createShadowDatabase(session: Session, main: ConnectionTarget): Promise<ShadowDatabase> {
  const name = `prisma_migrate_shadow_db_${randomUUID()}`;
  const owner = await Connection.open(main);
  session.connections.add(owner);
  // Registered before it exists: a signal may come while it is being created.
  const drop = async () => {
    if (!session.cleanups.delete(drop)) return;
    session.connections.delete(owner);
    try {
      await dropWithSessions(owner, name);
    } catch (cause) {
      throw ERRORS.shadowNotDropped(name, cause);
    } finally {
      await owner.close();
    }
  };
  session.cleanups.add(drop);
  try {
    await createEmptyDatabase(owner, name);
  } catch (cause) {
    throw ERRORS.shadowCreationFailed(cause);
  }
  return { target: withDatabase(main, name), drop };
}

async function prepareShadowDatabase(
  shadow: ConnectionTarget,
  main: ConnectionTarget | undefined,
): Promise<void> {
  const connection = await Connection.open(shadow);
  try {
    if (main && (await isDatabaseOf(connection, main))) throw ERRORS.shadowIsMain();
    await emptyDatabase(connection);
  } catch (cause) {
    throw cause instanceof EngineError ? cause : ERRORS.shadowResetFailed(cause);
  } finally {
    await connection.close();
  }
}

/**
 * Whether a session is on the database that a connection string names, however differently the two are spelt. An
 * advisory lock is known to all sessions on one database and to no others, and needs no privilege.
 */
async function isDatabaseOf(connection: Connection, target: ConnectionTarget): Promise<boolean> {
  const other = await Connection.open(target);
  try {
    const lock = randomBytes(8).readBigInt64BE().toString();
    await connection.query('SELECT pg_advisory_lock($1)', [lock]);
    const { rows } = await other.query('SELECT pg_try_advisory_lock($1)', [lock]);
    return rows[0]?.[0] !== 't';
  } finally {
    await other.close();
  }
}
