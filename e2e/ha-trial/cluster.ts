import { randomBytes } from 'node:crypto';
import { chmod, chown, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findAccount } from '@repo/postgres/account';
import type { Account } from '@repo/postgres/account';
import { execute } from '@repo/postgres/database';
import { chooseTemporaryDirectory, removeTemporaryDirectory } from '@repo/postgres/temporary';
import { until } from '@repo/testing/until';
import { ROOT } from '../env.ts';
import { createMember, signalAll } from './member.ts';
import type { Member } from './member.ts';
import type { Network, Place } from './network.ts';
import type { Programs } from './programs.ts';
import { fillIn } from './template.ts';

export interface ClusterOptions {
  readonly network: Network;
  readonly programs: Programs;
  /** `synchronous` as the project asks for it; the others lose what they acknowledged. */
  readonly durability: Durability;
  readonly say: (line: string) => void;
}

/**
 * - `synchronous`: nothing is acknowledged that only one node has;
 * - `asynchronous`: no standby is waited for;
 * - `lowered`: a synchronous standby, and sessions that do not wait for it (`synchronous_commit = local`).
 */
export type Durability = 'synchronous' | 'asynchronous' | 'lowered';

/** What Patroni says of a node. */
interface NodeState {
  readonly name: string;
  readonly role: string;
  readonly state: string;
}

export interface Cluster extends AsyncDisposable {
  readonly nodes: readonly Member[];
  readonly network: Network;
  /** The connection string that names every node. */
  readonly url: string;
  /** The connection string of one node. */
  readonly urlOf: (node: Member) => string;
  /** What the node answers when it is asked who leads, or null when it does not answer. */
  roleOf(node: Member): Promise<string | null>;
  /** The node that takes writes, or null while there is none. */
  findPrimary(): Promise<Member | null>;
  /** Waits until one node leads, all others follow it, and as many as must be waited for are. */
  untilWhole(): Promise<Member>;
}

const TEMPLATES = join(ROOT, 'deploy/patroni');

/** Starts etcd and the nodes, and waits until the cluster is whole. Disposing of it removes its data. */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const { network, programs, say } = options;
  const folder = await chooseTemporaryDirectory();
  await mkdir(folder, { mode: 0o755 });
  await chmod(folder, 0o755);
  const account = await findAccount(folder);
  const password = randomBytes(12).toString('hex');
  const [etcdPlace, ...nodePlaces] = network.places;
  if (etcdPlace === undefined) throw new RangeError('a cluster has a place for etcd');
  const etcd = await createEtcd(etcdPlace, { folder, account, programs });
  const nodes: Member[] = [];
  const close = async (): Promise<void> => {
    await network.faults?.heal();
    for (const node of nodes) signalAll(await node.pids('all'), 'SIGCONT');
    await Promise.all(nodes.map((node) => node.stop()));
    for (const node of nodes) signalAll(await node.pids('all'), 'SIGKILL');
    await etcd.stop();
    await removeTemporaryDirectory(folder);
  };
  try {
    await etcd.start();
    await until('etcd answers', () => isHealthy(etcdPlace));
    say('etcd runs');
    for (const place of nodePlaces) {
      nodes.push(await createNode(place, { ...options, folder, account, password, etcdPlace }));
    }
    const cluster = describe({
      nodes,
      network,
      password,
      isSynchronous: options.durability !== 'asynchronous',
      close,
    });
    // The first makes the database, and the others copy it.
    await nodes[0]?.start();
    const first = await until('the first node leads', () => cluster.findPrimary());
    say(`${first.place.name} leads`);
    await Promise.all(nodes.slice(1).map((node) => node.start()));
    await cluster.untilWhole();
    say(`${String(nodes.length)} nodes are in step`);
    return cluster;
  } catch (error) {
    await close();
    throw error;
  }
}

interface Parts {
  readonly folder: string;
  readonly account: Account | undefined;
}

async function createEtcd(place: Place, parts: Parts & { readonly programs: Programs }): Promise<Member> {
  const folder = await makeFolder(place.name, parts);
  const [port, peerPort] = place.ports;
  const text = fillIn(await readFile(join(TEMPLATES, 'etcd.yml'), 'utf8'), {
    NAME: place.name,
    ADDRESS: place.address,
    PORT: String(port),
    PEER_PORT: String(peerPort),
    FOLDER: folder,
  });
  const path = await own(join(folder, 'etcd.yml'), text, parts.account);
  const command = [parts.programs.etcd, '--config-file', path];
  return createMember({ place, folder, account: parts.account, command });
}

interface NodeParts extends Parts, ClusterOptions {
  readonly password: string;
  readonly etcdPlace: Place;
}

async function createNode(place: Place, parts: NodeParts): Promise<Member> {
  const folder = await makeFolder(place.name, parts);
  const { durability, etcdPlace, programs } = parts;
  const [port, apiPort] = place.ports;
  const text = fillIn(await readFile(join(TEMPLATES, 'patroni.yml'), 'utf8'), {
    NAME: place.name,
    ADDRESS: place.address,
    PORT: String(port),
    API_PORT: String(apiPort),
    ETCD: `${etcdPlace.address}:${String(etcdPlace.ports[0])}`,
    NETWORK: parts.network.cidr,
    BINARIES: programs.postgres,
    FOLDER: folder,
    PASSWORD: parts.password,
    STANDBYS: String(parts.network.places.length - 2),
    SYNCHRONOUS: String(durability !== 'asynchronous'),
    SYNCHRONOUS_COMMIT: durability === 'lowered' ? 'local' : 'on',
    // The services refuse a server that would forget, unless it says that it may be thrown away.
    DISPOSABLE: durability === 'lowered' ? 'on' : 'off',
  });
  const path = await own(join(folder, 'patroni.yml'), text, parts.account);
  return createMember({ place, folder, account: parts.account, command: [programs.patroni, path] });
}

async function makeFolder(name: string, { folder, account }: Parts): Promise<string> {
  const path = join(folder, name);
  await mkdir(path, { mode: 0o700 });
  if (account !== undefined) await chown(path, account.uid, account.gid);
  return path;
}

async function own(path: string, text: string, account: Account | undefined): Promise<string> {
  await writeFile(path, text, { mode: 0o600 });
  if (account !== undefined) await chown(path, account.uid, account.gid);
  return path;
}

interface Description {
  readonly nodes: readonly Member[];
  readonly network: Network;
  readonly password: string;
  readonly isSynchronous: boolean;
  readonly close: () => Promise<void>;
}

function describe({ nodes, network, password, isSynchronous, close }: Description): Cluster {
  const urlFor = (members: readonly Member[]): string => {
    const hosts = members.map(({ place }) => `${place.address}:${String(place.ports[0])}`).join(',');
    return `postgresql://postgres:${password}@${hosts}/postgres`;
  };
  const roleOf = async (node: Member): Promise<string | null> => {
    const { place } = node;
    const members = await ask<{ readonly members: readonly NodeState[] }>(place, '/cluster');
    return members?.members.find(({ name }) => name === place.name)?.role ?? null;
  };
  const findPrimary = async (): Promise<Member | null> => {
    const answers = await Promise.all(
      nodes.map(async ({ place }) => (await ask(place, '/primary')) !== null),
    );
    return nodes[answers.indexOf(true)] ?? null;
  };
  return {
    nodes,
    network,
    url: `${urlFor(nodes)}?target_session_attrs=read-write`,
    urlOf: (node) => urlFor([node]),
    roleOf,
    findPrimary,
    untilWhole: () =>
      until('the cluster is whole', async () => {
        const primary = await findPrimary();
        if (primary === null) return null;
        const rows = await execute(
          urlFor([primary]),
          `SELECT count(*)::int AS streaming, count(*) FILTER (WHERE sync_state IN ('sync', 'quorum'))::int AS waited
             FROM pg_stat_replication WHERE state = 'streaming'`,
        ).catch(() => []);
        const { streaming = 0, waited = 0 } = (rows[0] ?? {}) as { streaming?: number; waited?: number };
        if (streaming < nodes.length - 1) return null;
        if (!isSynchronous) return primary;
        // The primary waits for them first, and then writes down in etcd that they may take over: a primary that dies
        // between the two is waited for.
        const standbys = nodes.filter((node) => node !== primary);
        const known = await Promise.all(standbys.map(({ place }) => ask(place, '/synchronous')));
        return waited === streaming && !known.includes(null) ? primary : null;
      }),
    [Symbol.asyncDispose]: close,
  };
}

async function isHealthy({ address, ports }: Place): Promise<boolean> {
  return fetchOk(`http://${address}:${String(ports[0])}/health`).then((answer) => answer !== null);
}

/** What a node's Patroni answers, or null when it does not, or with an error. */
async function ask<T = unknown>({ address, ports }: Place, path: string): Promise<T | null> {
  return fetchOk(`http://${address}:${String(ports[1])}${path}`);
}

const ANSWER_MS = 1_000;

async function fetchOk<T>(url: string): Promise<T | null> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(ANSWER_MS) });
    const text = await response.text();
    return response.ok ? (JSON.parse(text) as T) : null;
  } catch {
    return null;
  }
}
