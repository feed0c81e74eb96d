import { resolve } from 'node:path';
import { findAccount } from './account.ts';
import { findBinaries } from './binaries.ts';
import { ensureCluster, readPassword, SUPERUSER } from './cluster.ts';
import { execute } from './database.ts';
import { testCluster } from './env.ts';
import { PostgresError, codeOf } from './errors.ts';
import { type Launched, launch } from './launch.ts';
import { joinLease, removeStaleLeases } from './lease.ts';
import { reachableDevelopmentDirectory, usualPort } from './places.ts';
import { type Postmaster, findPostmaster, hasEnded, isServing } from './postmaster.ts';
import { isServerOf, poll, signal } from './processes.ts';
import { chooseTemporaryDirectory, removeTemporaryDirectory } from './temporary.ts';

export interface ServerOptions {
  /** Where the database is or shall be. Without it the server lives in a temporary folder that `stop` removes. */
  readonly dataDirectory?: string;
  /** The TCP port on 127.0.0.1; a free one by default. */
  readonly port?: number;
  /** False leaves fsync out: faster, and the data may be lost when the machine (not the server) crashes. */
  readonly durable?: boolean;
  /** Further settings of the server by their names, such as `shared_preload_libraries`; they win over the usual ones. */
  readonly settings?: Readonly<Record<string, string>>;
  /** A folder with `postgres` and `initdb`, to use another installation than the one from npm. */
  readonly binaries?: string;
  /** True has initdb make the database also where tests copy one: copies are, for each other's standbys, one server. */
  readonly hasOwnIdentity?: boolean;
}

export interface Server extends AsyncDisposable {
  /** An administrator's URL, with the password, to the database `postgres`. */
  readonly url: string;
  readonly port: number;
  readonly dataDirectory: string;
  /** The process id of the server itself. */
  readonly pid: number;
  /** A fast shutdown: open transactions are rolled back, connections closed, everything is written. */
  readonly stop: () => Promise<void>;
  /** A crash: the server is killed where it stands, and the next start on its directory recovers. */
  readonly kill: () => Promise<void>;
}

export interface DevelopmentServer extends AsyncDisposable {
  readonly url: string;
  /** Whether this call started the server; otherwise it found one running. */
  readonly started: boolean;
  /** Gives up this command's share. The server stops when nobody has one any more, and this waits for that. */
  readonly stop: () => Promise<void>;
}

/** A server that this process started, and how to reach it. */
interface Started extends Launched {
  readonly url: string;
}

/** A fast shutdown writes a checkpoint, which on a slow disk takes its time. */
const STOP_MILLISECONDS = 60_000;

/** Another command's server may be in recovery, or stopping, when this one wants it. */
const OPEN_MILLISECONDS = 180_000;

/**
 * Starts PostgreSQL on 127.0.0.1, in a new database or in the one that `dataDirectory` holds, which is recovered if
 * it has crashed. The server also ends when this process does, however that happens.
 *
 * @throws {PostgresError} ALREADY_RUNNING when a server runs in the directory; the other codes say what to do.
 */
export async function startServer(options: ServerOptions = {}): Promise<Server> {
  const isTemporary = options.dataDirectory === undefined;
  const dataDirectory = resolve(options.dataDirectory ?? (await chooseTemporaryDirectory()));
  try {
    return serverOf(await launchIn(dataDirectory, options), { dataDirectory, isTemporary });
  } catch (error) {
    if (isTemporary) await removeTemporaryDirectory(dataDirectory);
    throw error;
  }
}

/**
 * The server that `dev` and the `db:*` commands share, with its data in `.daftari/postgres` below `rootDirectory`.
 * It is started when it does not run, and stops with its last user.
 */
export async function openDevelopmentServer(rootDirectory: string): Promise<DevelopmentServer> {
  const directory = await reachableDevelopmentDirectory(rootDirectory);
  const opened = await poll(async () => {
    const running = await findPostmaster(directory);
    if (running === undefined) return startShared(directory);
    // One that is starting or stopping is waited for.
    return running.ready ? joinServer(directory, running) : undefined;
  }, OPEN_MILLISECONDS);
  if (opened !== undefined) return opened;
  throw new PostgresError(
    'START_FAILED',
    `the server in ${directory} neither answers nor ends; see its server.log.`,
  );
}

/** The address of that server, the same at each start as long as nothing else takes its port; null while it is down. */
export async function findDevelopmentServer(rootDirectory: string): Promise<string | null> {
  const directory = await reachableDevelopmentDirectory(rootDirectory);
  const running = await findPostmaster(directory);
  return running?.ready === true ? urlOf(running, await readPassword(directory)) : null;
}

interface LaunchOptions extends ServerOptions {
  readonly preferredPort?: number;
}

async function launchIn(dataDirectory: string, options: LaunchOptions): Promise<Started> {
  const account = await findAccount(dataDirectory);
  const binaries = await findBinaries(account, options.binaries);
  const durable = options.durable ?? true;
  // The sample is one of the programs from npm.
  const isOwn = options.binaries !== undefined || options.hasOwnIdentity === true;
  const sample = isOwn ? undefined : testCluster();
  await ensureCluster(dataDirectory, { account, binaries, durable, sample });
  const running = await findPostmaster(dataDirectory);
  if (running !== undefined) {
    throw new PostgresError(
      'ALREADY_RUNNING',
      `process ${running.pid} serves ${dataDirectory} on port ${running.port}. Use it, stop it, or name another folder.`,
    );
  }
  await removeStaleLeases(dataDirectory);
  const password = await readPassword(dataDirectory);
  const launched = await launch(dataDirectory, {
    account,
    binaries,
    durable,
    port: options.port,
    preferredPort: options.preferredPort,
    settings: options.settings,
  });
  return { ...launched, url: urlOf(launched.postmaster, password) };
}

function serverOf(
  { postmaster, lease, kept, url }: Started,
  { dataDirectory, isTemporary }: { dataDirectory: string; isTemporary: boolean },
): Server {
  const { pid, port } = postmaster;
  const end = async (name: NodeJS.Signals): Promise<void> => {
    // A server that crashed may have left processes, and its number to another program.
    if (!kept.isDown() && (await isServing(pid, dataDirectory))) signal(pid, name);
    await kept.untilDown();
    lease.release();
    // Its files are closed a moment before it has ended: until then it would still be taken for a live one.
    if (!(await hasEnded(postmaster, dataDirectory, STOP_MILLISECONDS))) throw stopFailure(pid);
  };
  const stop = async (): Promise<void> => {
    await end('SIGINT');
    if (isTemporary) await removeTemporaryDirectory(dataDirectory);
  };
  void kept.down.then(() => lease.release());
  return { url, port, dataDirectory, pid, stop, kill: () => end('SIGKILL'), [Symbol.asyncDispose]: stop };
}

function urlOf({ port }: Postmaster, password: string): string {
  return `postgresql://${SUPERUSER}:${password}@127.0.0.1:${port}/postgres`;
}

async function startShared(directory: string): Promise<DevelopmentServer | undefined> {
  try {
    const { postmaster, lease, url } = await launchIn(directory, {
      preferredPort: await usualPort(directory),
    });
    return shareOf(postmaster, { url, directory, started: true, release: lease.release });
  } catch (error) {
    // Another process was faster: the next turn joins its server.
    if (codeOf(error) === 'ALREADY_RUNNING') return undefined;
    throw error;
  }
}

async function joinServer(directory: string, postmaster: Postmaster): Promise<DevelopmentServer | undefined> {
  const lease = await joinLease(directory);
  if (lease === 'closing') {
    await sendHome(directory, postmaster);
    return undefined;
  }
  // A server that was started by hand is used, and left running.
  const release = lease === 'unkept' ? () => false : lease.release;
  const url = urlOf(postmaster, await readPassword(directory));
  if (await isAnswering(url)) return shareOf(postmaster, { url, directory, started: false, release });
  // It has just crashed. The next turn finds it gone and starts it again.
  release();
  return undefined;
}

/** Its keeper is about to stop this server, or was killed itself; either way it ends here. */
async function sendHome(directory: string, postmaster: Postmaster): Promise<void> {
  if ((await isServerOf(postmaster.pid, directory)) === 'yes') signal(postmaster.pid, 'SIGINT');
  await hasEnded(postmaster, directory, STOP_MILLISECONDS);
}

async function isAnswering(url: string): Promise<boolean> {
  try {
    await execute(url, 'SELECT 1');
    return true;
  } catch (error) {
    // Class 28 is a wrong password: that server lives, but is not one that was made here.
    if (codeOf(error)?.startsWith('28')) throw error;
    return false;
  }
}

interface Share {
  readonly url: string;
  readonly directory: string;
  readonly started: boolean;
  readonly release: () => boolean;
}

function shareOf(postmaster: Postmaster, { url, directory, started, release }: Share): DevelopmentServer {
  const stop = async (): Promise<void> => {
    if (!release() || (await hasEnded(postmaster, directory, STOP_MILLISECONDS))) return;
    throw stopFailure(postmaster.pid);
  };
  return { url, started, stop, [Symbol.asyncDispose]: stop };
}

function stopFailure(pid: number): PostgresError {
  return new PostgresError('STOP_FAILED', `process ${pid} is still there; its log says what it waits for.`);
}
