import { setTimeout as sleep } from 'node:timers/promises';
import { execute } from '@repo/postgres/database';

/** The most connections that were seen at once. */
export interface Connections {
  /** Of the pooler to the server. */
  readonly server: number;
  /** Of the services to the pooler. */
  readonly clients: number;
}

/** Connections, counted again and again. */
export interface Counting {
  end(): Promise<Connections>;
}

export interface Places {
  /** The database at the server itself. */
  readonly serverUrl: string;
  /** The pooler's own database, which tells of it. */
  readonly adminUrl: string;
}

const OWN_NAME = 'pool-trial';

/** The same database, for connections that are the trial's own and are not counted. */
export function ownUrl(databaseUrl: string): string {
  const url = new URL(databaseUrl);
  url.searchParams.set('application_name', OWN_NAME);
  return url.href;
}

/** Workers of the server, such as those of autovacuum, are no connections. */
const SERVER_CONNECTIONS = `
  SELECT count(*)::int AS n FROM pg_stat_activity
   WHERE datname = current_database() AND backend_type = 'client backend' AND application_name <> '${OWN_NAME}'`;

const PAUSE_MS = 200;

/** Counts until it is told to end. PgBouncer keeps its connections open, so none is missed between two looks. */
export function countConnections({ serverUrl, adminUrl }: Places): Counting {
  const ended = new AbortController();
  const counting = (async () => {
    let most: Connections = { server: 0, clients: 0 };
    do {
      const [row] = await execute(ownUrl(serverUrl), SERVER_CONNECTIONS);
      const lists = await execute(adminUrl, 'SHOW LISTS');
      const clients = Number(lists.find(({ list }) => list === 'used_clients')?.['items']);
      most = {
        server: Math.max(most.server, Number(row?.['n'])),
        // One of them is the one that asks.
        clients: Math.max(most.clients, clients - 1),
      };
      await sleep(PAUSE_MS, undefined, { signal: ended.signal }).catch(() => undefined);
    } while (!ended.signal.aborted);
    return most;
  })();
  // Looked at when it ends.
  counting.catch(() => undefined);
  return {
    end() {
      ended.abort();
      return counting;
    },
  };
}
