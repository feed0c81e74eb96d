import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { createDatabase, execute } from './database.ts';
import { testBinaries } from './env.ts';
import { type Server, startServer } from './server.ts';
import { type Standby, startStandby } from './standby.ts';

/** A coordinator and its workers on this machine, each a server of its own, in which `name` is a database. */
export interface CitusCluster extends AsyncDisposable {
  /** The coordinator's database, in which nothing is distributed yet. */
  readonly url: string;
  /** The same database of each worker. */
  readonly workerUrls: readonly string[];
  readonly coordinator: Server;
  readonly workers: readonly Server[];
  /** Starts a node again that was killed. */
  readonly restart: (node: Server) => Promise<Server>;
  /** Starts a standby of a worker, for which the worker waits at each commit. */
  readonly startStandby: (worker: Server) => Promise<Standby>;
  readonly stop: () => Promise<void>;
}

export interface CitusOptions {
  readonly workers: number;
  /** False leaves fsync out. Default: false. */
  readonly durable?: boolean;
  /** Further settings of every server. */
  readonly settings?: Readonly<Record<string, string>>;
}

/**
 * Citus is an extension of a PostgreSQL that is laid out as Debian's: that of `TEST_POSTGRES_BINARIES`, or the operating
 * system's. Where it is not installed its tests are skipped.
 */
const installation = findInstallation();
export const hasCitus = installation !== undefined;

/** The folder of the programs of a PostgreSQL beside which Citus is installed. */
function findInstallation(): string | undefined {
  const places = [
    testBinaries(),
    ...[17, 16, 15].map((version) => `/usr/lib/postgresql/${String(version)}/bin`),
  ];
  return places.find(
    (bin) => bin !== undefined && existsSync(join(bin, 'postgres')) && existsSync(controlOf(bin)),
  );
}

/** `lib/postgresql/15/bin` has its extensions in `share/postgresql/15/extension`. */
function controlOf(bin: string): string {
  const version = basename(dirname(bin));
  return join(bin, '../../../../share/postgresql', version, 'extension/citus.control');
}

export { testNodes } from './env.ts';

const DATABASE = 'daftari';

/** Starts the servers, with the extension in a database of each. The coordinator knows its address, and no worker yet. */
export async function startCitus({
  workers,
  durable = false,
  settings = {},
}: CitusOptions): Promise<CitusCluster> {
  const servers: Server[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(servers.map((server) => server.stop()));
  };
  try {
    for (let count = 0; count <= workers; count += 1) servers.push(await startNode({ durable, settings }));
    const password = randomBytes(16).toString('hex');
    const urls = [];
    for (const server of servers) urls.push(await prepareNode(server, password));
    const [url = '', ...workerUrls] = urls;
    const [coordinator, ...others] = servers;
    if (coordinator === undefined) throw new Error('no server was started');
    await execute(url, `SELECT citus_set_coordinator_host('127.0.0.1', ${String(coordinator.port)})`);
    const restart = async ({ dataDirectory, port }: Server): Promise<Server> => {
      const server = await startNode({ durable, settings, dataDirectory, port });
      servers.push(server);
      return server;
    };
    const startStandbyOf = async (worker: Server): Promise<Standby> => {
      const own = workerUrls[others.indexOf(worker)] ?? '';
      const standby = await startStandby(
        { ...worker, url: own },
        { durable, isSynchronous: true, ...programs(), settings: nodeSettings(settings) },
      );
      servers.push(standby);
      return standby;
    };
    return {
      url,
      workerUrls,
      coordinator,
      workers: others,
      restart,
      startStandby: startStandbyOf,
      stop,
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

interface NodeOptions extends Required<Pick<CitusOptions, 'durable' | 'settings'>> {
  readonly dataDirectory?: string;
  readonly port?: number;
}

function startNode({ settings, ...options }: NodeOptions): Promise<Server> {
  return startServer({ ...options, ...programs(), settings: nodeSettings(settings) });
}

function programs(): { readonly binaries?: string } {
  return installation === undefined ? {} : { binaries: installation };
}

function nodeSettings(settings: Readonly<Record<string, string>>): Record<string, string> {
  return {
    shared_preload_libraries: 'citus',
    // Transactions over several nodes are prepared on each.
    max_prepared_transactions: '200',
    'citus.local_hostname': '127.0.0.1',
    // Otherwise the servers would tell its makers that they run.
    'citus.enable_statistics_collection': 'off',
    'citus.node_conninfo': 'sslmode=disable',
    ...settings,
  };
}

/** The nodes reach each other with one password. Returns the URL of the node's database. */
async function prepareNode(server: Server, password: string): Promise<string> {
  await execute(server.url, `ALTER ROLE postgres PASSWORD '${password}'`);
  const own = new URL(server.url);
  own.password = password;
  const url = await createDatabase(own.href, DATABASE);
  await execute(url, 'CREATE EXTENSION citus');
  await execute(
    url,
    `INSERT INTO pg_dist_authinfo VALUES (0, 'postgres', 'password=${password}'), (-1, 'postgres', 'password=${password}')`,
  );
  return url;
}
