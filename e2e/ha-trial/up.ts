import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readCommandLine, readCount } from '@repo/command/command-line';
import { runCommand } from '@repo/command/run-command';
import { findFreePort } from '@repo/postgres/port';
import { chooseTemporaryDirectory, removeTemporaryDirectory } from '@repo/postgres/temporary';
import { endProcess, guardProcess } from '@repo/testing/processes';
import { ROOT } from '../env.ts';
import { startCluster } from './cluster.ts';
import type { Cluster } from './cluster.ts';
import { openLoopback } from './network.ts';
import { findPrograms } from './programs.ts';
import { fillIn } from './template.ts';

const USAGE = `Usage: ha:up [--nodes <n>]

Starts PostgreSQL nodes and etcd under Patroni on 127.0.0.1, synchronous and strict, with HAProxy in front where it is
installed. It prints the connection strings and runs until Ctrl-C; then it removes everything that it made.

  --nodes <n>  PostgreSQL nodes, 2 or 3 (default: 2)

It needs Debian's patroni, etcd-server and postgresql-15, or others like them, and touches no service of the system.

Exit codes: 0 stopped as asked, 1 it failed, 2 the command line cannot be used.`;

const { values } = readCommandLine(USAGE, { options: { nodes: { type: 'string', default: '2' } } });
const nodes = readCount(values.nodes, { option: '--nodes', least: 2, most: 3, usage: USAGE });
const say = (line: string) => process.stdout.write(`${line}\n`);

await runCommand(async () => {
  const found = await findPrograms();
  if ('missing' in found) {
    process.stderr.write(`Not installed: ${found.missing.join(', ')}. See deploy/patroni/README.md.\n`);
    return 1;
  }
  const { programs } = found;
  const stopped = Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
  await using network = await openLoopback(['etcd', 'one', 'two', 'three'].slice(0, 1 + nodes));
  await using cluster = await startCluster({ network, programs, durability: 'synchronous', say });
  say(`\nDATABASE_URL='${cluster.url}'`);
  for (const { place } of cluster.nodes) {
    say(`Patroni of ${place.name}: http://${place.address}:${String(place.ports[1])}/cluster`);
  }
  await using proxy = programs.haproxy === null ? null : await startProxy(programs.haproxy, cluster);
  if (proxy !== null) say(`HAProxy, for clients that know one address: '${proxy.url}'`);
  await stopped;
  return 0;
});

interface Proxy extends AsyncDisposable {
  readonly url: string;
}

async function startProxy(program: string, { nodes: members, urlOf }: Cluster): Promise<Proxy> {
  const folder = await chooseTemporaryDirectory();
  await mkdir(folder, { mode: 0o755 });
  await chmod(folder, 0o755);
  const port = await findFreePort();
  const servers = members.map(({ place: { name, address, ports } }) => {
    const [server, api] = ports.map(String);
    return `  server ${name} ${address}:${server ?? ''} check port ${api ?? ''}`;
  });
  const text = fillIn(await readFile(join(ROOT, 'deploy/patroni/haproxy.cfg'), 'utf8'), {
    ADDRESS: '127.0.0.1',
    PORT: String(port),
    SERVERS: servers.join('\n'),
  });
  const path = join(folder, 'haproxy.cfg');
  await writeFile(path, text, { mode: 0o644 });
  const child = spawn(program, ['-db', '-f', path], { stdio: 'ignore', detached: true });
  child.on('error', () => undefined);
  const guard = guardProcess(child.pid);
  const first = members[0];
  const url = new URL(first === undefined ? 'postgresql://127.0.0.1' : urlOf(first));
  url.port = String(port);
  return {
    url: url.href,
    async [Symbol.asyncDispose]() {
      await endProcess(child);
      guard.release();
      await removeTemporaryDirectory(folder);
    },
  };
}
