import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startCitus } from '@repo/postgres/citus';
import { createDatabase, execute } from '@repo/postgres/database';
import { migrateDatabase } from '@repo/postgres/migrations';
import { startServer } from '@repo/postgres/server';
import { bareEnvironment } from '@repo/testing/env';
import { ROOT } from '../lib/program.ts';

/** A database to record deposits in, and the processes of its servers. */
interface Opened extends AsyncDisposable {
  readonly url: string;
  readonly servers: readonly number[];
}

export interface Place {
  readonly name: string;
  /** Lanes of the intake. */
  readonly lanes: number;
  readonly open: () => Promise<Opened>;
  /** What else is done to it while it is measured. */
  readonly disturb?: (url: string) => Promise<void>;
}

/** The same build of PostgreSQL everywhere: that of the system, beside which Citus is. */
const BINARIES = '/usr/lib/postgresql/15/bin';

async function openPlain(): Promise<Opened> {
  const server = await startServer({ binaries: BINARIES });
  const url = await createDatabase(server.url, 'daftari');
  await migrateDatabase(ROOT, url);
  return { url, servers: [server.pid], [Symbol.asyncDispose]: () => server.stop() };
}

async function openCitus(workers: number): Promise<Opened> {
  const cluster = await startCitus({ workers, durable: true });
  await migrateDatabase(ROOT, cluster.url);
  await promisify(execFile)(process.execPath, [join(ROOT, 'tools/database/src/distribute.ts')], {
    env: {
      ...bareEnvironment(),
      DATABASE_URL: cluster.url,
      CITUS_WORKERS: cluster.workers.map(({ port }) => `127.0.0.1:${String(port)}`).join(),
    },
  });
  const servers = [cluster.coordinator.pid, ...cluster.workers.map(({ pid }) => pid)];
  return { url: cluster.url, servers, [Symbol.asyncDispose]: () => cluster.stop() };
}

// Each of its batches is of one lane: a batch over several lanes asks for one after the other.
const CITUS_LANES = 16;

export const PLACES: readonly Place[] = [
  { name: 'PostgreSQL', lanes: 2, open: openPlain },
  { name: 'Citus, one worker', lanes: CITUS_LANES, open: () => openCitus(1) },
  { name: 'Citus, two workers', lanes: CITUS_LANES, open: () => openCitus(2) },
  {
    name: 'Citus, two workers, shards moved',
    lanes: CITUS_LANES,
    open: () => openCitus(2),
    disturb: moveShards,
  },
];

/** Moves the lanes of one shard to the other worker, and back. */
async function moveShards(url: string): Promise<void> {
  const [shard] = await execute(
    url,
    `SELECT s.shardid, s.nodename AS host, s.nodeport AS port, n.nodename AS other, n.nodeport AS otherport
       FROM citus_shards s
       JOIN pg_dist_node n ON n.nodeport <> s.nodeport AND n.groupid <> 0
      WHERE s.shardid = get_shard_id_for_distribution_column('core.wallets', 3::smallint)`,
  );
  if (shard === undefined) return;
  const { shardid, host, port, other, otherport } = shard as Record<string, string | number>;
  const move = (from: string, to: string) =>
    execute(url, `SELECT citus_move_shard_placement(${String(shardid)}, ${from}, ${to}, 'block_writes')`);
  await move(`'${String(host)}', ${String(port)}`, `'${String(other)}', ${String(otherport)}`);
  await move(`'${String(other)}', ${String(otherport)}`, `'${String(host)}', ${String(port)}`);
}
