import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster } from './cluster.ts';
import { signalAll } from './member.ts';
import type { Member } from './member.ts';
import { CLIENTS } from './network.ts';

/** What happens to a primary. */
export interface Fault {
  readonly name: string;
  /** For people: what is done to the primary. */
  readonly about: string;
  /** Whether it needs a network that can be cut. */
  readonly needsNetwork: boolean;
  /** Whether another node must take over before it is healed. */
  readonly movesPrimary: boolean;
  /** How long it stays after another node leads. */
  readonly holdMs: number;
  /** Does it; resolves when it is done. */
  readonly strike: (cluster: Cluster, primary: Member) => Promise<void>;
  /** Takes it back, or starts again what was killed. */
  readonly heal: (cluster: Cluster, primary: Member) => Promise<void>;
}

/** A node that was cut off or paused stays so for a while after another leads: clients may still reach it. */
const HOLD_MS = 2_000;

/** The link to the standbys is cut for so long before the primary is killed. */
const BEHIND_MS = 1_000;

/** Kilobits a second of a slow network: an acknowledgement waits longer than a second under this load. */
const SLOW_KILOBITS = 64;
const SLOW_MS = 10_000;

const othersOf = ({ network }: Cluster, { place }: Member): string[] =>
  network.places.map(({ name }) => name).filter((name) => name !== place.name);

async function cut(cluster: Cluster, ways: readonly (readonly [string, string])[]): Promise<void> {
  const { faults } = cluster.network;
  if (faults === null) throw new Error('this network cannot be cut');
  await Promise.all(ways.map(([from, to]) => faults.cut({ from, to })));
}

const healNetwork = async ({ network }: Cluster): Promise<void> => network.faults?.heal();

const both = (one: string, others: readonly string[]): (readonly [string, string])[] =>
  others.flatMap((other) => [[one, other] as const, [other, one] as const]);

const killNode = async (_cluster: Cluster, primary: Member): Promise<void> =>
  signalAll(await primary.pids('all'), 'SIGKILL');

const startAgain = async (_cluster: Cluster, primary: Member): Promise<void> => primary.start();

export const FAULTS: readonly Fault[] = [
  {
    name: 'crash',
    holdMs: 0,
    about: 'its PostgreSQL gets SIGKILL, Patroni lives',
    needsNetwork: false,
    movesPrimary: true,
    strike: async (_cluster, primary) => signalAll(await primary.pids('server'), 'SIGKILL'),
    heal: () => Promise.resolve(),
  },
  {
    name: 'kill',
    holdMs: 0,
    about: 'PostgreSQL and Patroni get SIGKILL; started again when another leads',
    needsNetwork: false,
    movesPrimary: true,
    strike: killNode,
    heal: startAgain,
  },
  {
    name: 'pause',
    holdMs: HOLD_MS,
    about: 'all of its processes get SIGSTOP, and SIGCONT when another leads',
    needsNetwork: false,
    movesPrimary: true,
    strike: async (_cluster, primary) => signalAll(await primary.pids('all'), 'SIGSTOP'),
    heal: async (_cluster, primary) => signalAll(await primary.pids('all'), 'SIGCONT'),
  },
  {
    name: 'cut',
    holdMs: HOLD_MS,
    about: 'no packet goes to it or comes from it',
    needsNetwork: true,
    movesPrimary: true,
    strike: (cluster, primary) =>
      cut(cluster, both(primary.place.name, [CLIENTS, ...othersOf(cluster, primary)])),
    heal: healNetwork,
  },
  {
    name: 'cut-out',
    holdMs: HOLD_MS,
    about: 'what it sends is lost, what is sent to it arrives',
    needsNetwork: true,
    movesPrimary: true,
    strike: (cluster, primary) =>
      cut(
        cluster,
        [CLIENTS, ...othersOf(cluster, primary)].map((other) => [primary.place.name, other]),
      ),
    heal: healNetwork,
  },
  {
    name: 'cut-in',
    holdMs: HOLD_MS,
    about: 'what is sent to it is lost, what it sends arrives',
    needsNetwork: true,
    movesPrimary: true,
    strike: (cluster, primary) =>
      cut(
        cluster,
        [CLIENTS, ...othersOf(cluster, primary)].map((other) => [other, primary.place.name]),
      ),
    heal: healNetwork,
  },
  {
    name: 'cut-peers',
    holdMs: HOLD_MS,
    about: 'cut off from etcd and the standby, and not from the services',
    needsNetwork: true,
    movesPrimary: true,
    strike: (cluster, primary) => cut(cluster, both(primary.place.name, othersOf(cluster, primary))),
    heal: healNetwork,
  },
  {
    name: 'behind',
    holdMs: 0,
    about: 'cut off from the standby alone for a second, then killed',
    needsNetwork: true,
    movesPrimary: true,
    strike: async (cluster, primary) => {
      const standbys = cluster.nodes.filter((node) => node !== primary).map(({ place }) => place.name);
      await cut(cluster, both(primary.place.name, standbys));
      await sleep(BEHIND_MS);
      await killNode(cluster, primary);
      await healNetwork(cluster);
    },
    heal: startAgain,
  },
  {
    name: 'slow',
    holdMs: 0,
    about: `its network carries ${String(SLOW_KILOBITS)} kbit/s for ${String(SLOW_MS / 1_000)} s`,
    needsNetwork: true,
    movesPrimary: false,
    strike: async ({ network }, { place }) => {
      await network.faults?.slow(place.name, SLOW_KILOBITS);
      await sleep(SLOW_MS);
    },
    heal: healNetwork,
  },
];
