import { execFile } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { findFreePort } from '@repo/postgres/port';

const execute = promisify(execFile);

/** Where a member of the cluster listens, and how a program is run there. */
export interface Place {
  readonly name: string;
  readonly address: string;
  /** The ports of PostgreSQL or etcd, and of Patroni's or etcd's peers. */
  readonly ports: readonly [number, number];
  /** The words before a program that run it there. */
  readonly prefix: readonly string[];
}

/** One direction between two places; `clients` are the processes of this machine outside of the cluster. */
interface Direction {
  readonly from: string;
  readonly to: string;
}

/** What connects the members of a cluster. */
export interface Network extends AsyncDisposable {
  readonly places: readonly Place[];
  /** Addresses of the members and their clients, for pg_hba.conf. */
  readonly cidr: string;
  /** Null where nothing can be cut, because members share the loopback interface. */
  readonly faults: NetworkFaults | null;
}

interface NetworkFaults {
  /** Loses every packet that goes this way, without a word to the sender. */
  readonly cut: (direction: Direction) => Promise<void>;
  /** Lets a place send and receive no faster than this, in kilobits a second, after packets have waited in a queue. */
  readonly slow: (place: string, kilobits: number) => Promise<void>;
  /** Takes all of that back. */
  readonly heal: () => Promise<void>;
}

export const CLIENTS = 'clients';

/** All on 127.0.0.1, each with free ports: for any user, and without anything to cut. */
export async function openLoopback(names: readonly string[]): Promise<Network> {
  const places = await Promise.all(
    names.map(async (name): Promise<Place> => ({
      name,
      address: '127.0.0.1',
      ports: [await findFreePort(), await findFreePort()],
      prefix: [],
    })),
  );
  return { places, cidr: '127.0.0.1/32', faults: null, [Symbol.asyncDispose]: () => Promise.resolve() };
}

/** Nobody's hardware address: the switch carries what is sent there to everyone, and everyone drops it. */
const NOWHERE = '02:00:00:00:de:ad';

/**
 * A network namespace for each member, joined by a switch in a namespace of its own: for root on Linux. A way is cut by
 * sending to a hardware address that nobody has, which needs no firewall in the kernel and drops in one direction only.
 */
export async function openNamespaces(names: readonly string[]): Promise<Network> {
  await removeAbandoned();
  const id = `${PREFIX}${String(process.pid)}`;
  const subnet = `10.213.${String(randomInt(1, 255))}`;
  const hub = `${id}-hub`;
  const members = [CLIENTS, ...names];
  const addressOf = (name: string) => `${subnet}.${String(1 + members.indexOf(name))}`;
  // The names of interfaces have 15 characters at most, and are shared by the whole machine before they are moved.
  const outer = (name: string) => `d${process.pid.toString(36)}p${String(members.indexOf(name))}`;
  const inner = (name: string) => `d${process.pid.toString(36)}m${String(members.indexOf(name))}`;
  const inPlace = (name: string) => (name === CLIENTS ? [] : ['-n', `${id}-${name}`]);
  const close = async (): Promise<void> => {
    await removeNamespaces(id);
  };
  try {
    await ip('netns', 'add', hub);
    await ip('-n', hub, 'link', 'add', 'switch', 'type', 'bridge');
    await ip('-n', hub, 'link', 'set', 'switch', 'up');
    for (const name of members) {
      if (name !== CLIENTS) await ip('netns', 'add', `${id}-${name}`);
      await ip('link', 'add', inner(name), 'type', 'veth', 'peer', 'name', outer(name));
      await ip('link', 'set', outer(name), 'netns', hub);
      await ip('-n', hub, 'link', 'set', outer(name), 'master', 'switch', 'up');
      if (name !== CLIENTS) await ip('link', 'set', inner(name), 'netns', `${id}-${name}`);
      await ip(...inPlace(name), 'address', 'add', `${addressOf(name)}/24`, 'dev', inner(name));
      await ip(...inPlace(name), 'link', 'set', inner(name), 'up');
      await ip(...inPlace(name), 'link', 'set', 'lo', 'up');
    }
  } catch (error) {
    await close();
    throw error;
  }
  const undo: (() => Promise<unknown>)[] = [];
  const faults: NetworkFaults = {
    async cut({ from, to }) {
      const neighbour = [addressOf(to), 'dev', inner(from)];
      await ip(...inPlace(from), 'neigh', 'replace', ...neighbour, 'lladdr', NOWHERE, 'nud', 'permanent');
      undo.push(() => ip(...inPlace(from), 'neigh', 'del', ...neighbour));
    },
    async slow(place, kilobits) {
      const shape = ['root', 'tbf', 'rate', `${String(kilobits)}kbit`, 'burst', '4kb', 'latency', '2s'];
      const ends = [
        [...inPlace(place), inner(place)],
        ['-n', hub, outer(place)],
      ];
      for (const end of ends) {
        const device = ['dev', end.at(-1) ?? ''];
        await tc(...end.slice(0, -1), 'qdisc', 'replace', ...device, ...shape);
        undo.push(() => tc(...end.slice(0, -1), 'qdisc', 'del', ...device, 'root'));
      }
    },
    async heal() {
      for (const each of undo.splice(0)) await each();
    },
  };
  const places = names.map((name): Place => ({
    name,
    address: addressOf(name),
    ports: [5432, 8008],
    prefix: ['ip', 'netns', 'exec', `${id}-${name}`],
  }));
  return { places, cidr: `${subnet}.0/24`, faults, [Symbol.asyncDispose]: close };
}

/** Why this process cannot make namespaces; null when it can. */
export async function whyNoNamespaces(): Promise<string | null> {
  if (process.geteuid?.() !== 0) return 'only root may make network namespaces';
  const name = `${PREFIX}${String(process.pid)}-try`;
  try {
    await ip('netns', 'add', name);
    await ip('netns', 'del', name);
    return null;
  } catch {
    return 'the command ip (Debian: iproute2) is missing or may not make network namespaces';
  }
}

const PREFIX = 'daftari-';

async function removeNamespaces(id: string): Promise<void> {
  for (const name of await namespaces()) if (name.startsWith(`${id}-`)) await ip('netns', 'del', name);
}

async function namespaces(): Promise<string[]> {
  const { stdout } = await execute('ip', ['netns', 'list']);
  return stdout.split('\n').flatMap((line) => line.split(' ')[0] || []);
}

/** Those of trials that were killed before they could remove theirs. */
async function removeAbandoned(): Promise<void> {
  for (const name of await namespaces()) {
    const pid = new RegExp(`^${PREFIX}(\\d+)-`).exec(name)?.[1];
    if (pid === undefined) continue;
    const isAlive = await readFile(`/proc/${pid}/stat`).then(
      () => true,
      () => false,
    );
    if (!isAlive) await ip('netns', 'del', name);
  }
}

async function ip(...words: readonly string[]): Promise<void> {
  await execute('ip', [...words]);
}

async function tc(...words: readonly string[]): Promise<void> {
  await execute('tc', [...words]);
}
