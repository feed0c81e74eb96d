import type { SqlMigrationAwareDriverAdapterFactory } from '@prisma/driver-adapter-utils';
import { Adapter } from './adapter.ts';
import { Connection } from './connection.ts';
import type { ConnectionTarget } from './connection-url.ts';
import { offlineAdapter } from './offline-adapter.ts';
import type { Session } from './session.ts';
import { openShadowDatabase } from '../shadow-database.ts';

/** What the engine asks for connections: one to the main database, and one to a shadow database when it needs it. */
export function adapterFactory(session: Session): SqlMigrationAwareDriverAdapterFactory {
  const { main } = session;
  return {
    provider: 'postgres',
    adapterName: 'schema-engine',
    connect: () => remember(session, async () => (main ? openAdapter(session, main) : offlineAdapter())),
    connectToShadowDb: () =>
      remember(session, async () => {
        const { target, drop } = await openShadowDatabase(session);
        return openAdapter(session, target, drop);
      }),
  };
}

/**
 * Connects, and sees to it that the connection is closed, and `after` done, exactly once, whichever side asks for it.
 */
async function openAdapter(
  session: Session,
  target: ConnectionTarget,
  after?: () => Promise<void>,
): Promise<Adapter> {
  const connection = await Connection.open(target);
  session.connections.add(connection);
  const release = async () => {
    if (!session.cleanups.delete(release)) return;
    session.connections.delete(connection);
    await connection.close();
    await after?.();
  };
  session.cleanups.add(release);
  return new Adapter(session, connection, release);
}

/** The WebAssembly engine would turn an error of these functions into a number, so it is kept aside. */
async function remember<T>(session: Session, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    session.failure ??= error instanceof Error ? error : new Error(String(error));
    throw error;
  }
}
