import type { Client } from 'pg';
import { withConnection } from '../connection.ts';
import { MigrateError } from '../errors.ts';
import { CLAIMS, MESSAGE_TABLES, layOutForm } from './form.ts';
import { KEYS } from './keys.ts';
import { readNodes } from './nodes.ts';
import type { Node } from './nodes.ts';
import {
  copyEverywhere,
  delegate,
  distributeFunctions,
  inForm,
  keepOnCoordinator,
  setSessions,
} from './placement.ts';

/** Every batch reaches nearly all shards of the claims, so these are few. */
const CLAIM_SHARDS = 8;

export interface DistributeOptions {
  /** The coordinator's database, migrated, with the extension. */
  readonly url: string;
  /** Where the sources of the distributed form are. */
  readonly sources: string;
  /** Workers that shall be added first. */
  readonly workers: readonly Node[];
  readonly onStep?: (what: string) => void;
}

export interface Distribution {
  readonly workers: number;
  readonly tables: number;
  /** How many lanes each node has. */
  readonly lanes: readonly { readonly node: string; readonly count: number }[];
}

/**
 * Gives a database its distributed form, in one transaction: keys with their lane, tables over the workers by lane, and the
 * functions that record deposits where the lane is.
 *
 * @throws {MigrateError} NOT_DISTRIBUTABLE when the extension, a worker or the lane of a row is missing
 */
export async function distributeDatabase(options: DistributeOptions): Promise<Distribution> {
  const { url, workers, onStep = () => undefined } = options;
  return withConnection(url, async (client) => {
    await requireExtension(client);
    for (const { host, port } of workers) {
      onStep(`adding the worker ${host}:${String(port)}`);
      await client.query('SELECT citus_add_node($1, $2)', [host, port]);
    }
    const count = await requireWorkers(client);
    await inForm(client, async () => {
      await requireLanes(client);
      onStep('giving the keys their lane');
      await layOutForm(client, options.sources, async () => {
        onStep('distributing the tables');
        // Rows move as they are: the guards are for what is new.
        await client.query(`SET LOCAL session_replication_role = 'replica'`);
        await distributeTables(client);
        await client.query(`SET LOCAL session_replication_role = 'origin'`);
        onStep('making the functions');
        await distributeFunctions(client);
      });
      await delegate(client);
    });
    await setSessions(client);
    return { workers: count, tables: KEYS.length, lanes: await readLanes(client) };
  });
}

async function requireExtension(client: Client): Promise<void> {
  const { rows } = await client.query<{ citus: boolean }>(
    `SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'citus') AS citus`,
  );
  if (rows[0]?.citus !== true) {
    throw new MigrateError(
      'NOT_DISTRIBUTABLE',
      'the extension is missing. Run CREATE EXTENSION citus on every node.',
    );
  }
}

async function requireWorkers(client: Client): Promise<number> {
  const nodes = await readNodes(client);
  const workers = nodes.filter(({ isCoordinator }) => !isCoordinator);
  if (workers.length === 0) {
    throw new MigrateError('NOT_DISTRIBUTABLE', 'it has no workers. Name them in CITUS_WORKERS.');
  }
  if (workers.length === nodes.length) {
    throw new MigrateError(
      'NOT_DISTRIBUTABLE',
      `the coordinator does not know its own address. Run SELECT citus_set_coordinator_host('<host>', <port>).`,
    );
  }
  return workers.length;
}

/** Rows that name another lane than that of their wallet would be looked for in vain. */
const ASTRAY = `
  SELECT (SELECT count(*) FROM core.transactions t WHERE core.lane_of(t.credit_wallet_id) <> t.lane) AS transactions,
         (SELECT count(*) FROM core.wallets w WHERE core.lane_of(w.id) <> w.lane) AS wallets`;

async function requireLanes(client: Client): Promise<void> {
  const { rows } = await client.query<Record<string, string>>(ASTRAY);
  const found = Object.entries(rows[0] ?? {}).filter(([, count]) => Number(count) > 0);
  if (found.length === 0) return;
  const what = found.map(([table, count]) => `${count} ${table}`).join(', ');
  throw new MigrateError(
    'NOT_DISTRIBUTABLE',
    `rows are in another lane than their wallet: ${what}. Find out who changed them.`,
  );
}

async function distributeTables(client: Client): Promise<void> {
  const [wallets, ...others] = KEYS.map(({ name }) => name);
  await client.query(
    `SELECT create_distributed_table('${String(wallets)}', 'lane', colocate_with => 'none')`,
  );
  for (const name of [...others, ...MESSAGE_TABLES]) {
    await client.query(
      `SELECT create_distributed_table('${name}', 'lane', colocate_with => '${String(wallets)}')`,
    );
  }
  await client.query(
    `SELECT create_distributed_table('${CLAIMS}', 'reference', shard_count => ${String(CLAIM_SHARDS)}, colocate_with => 'none')`,
  );
  await copyEverywhere(client);
  await keepOnCoordinator(client);
}

async function readLanes(client: Client): Promise<{ node: string; count: number }[]> {
  const { rows } = await client.query<{ node: string; count: number }>(
    `SELECT n.nodename || ':' || n.nodeport AS node, count(*)::integer AS count
       FROM generate_series(0, 15) AS lane
       JOIN pg_dist_placement p ON p.shardid = get_shard_id_for_distribution_column('core.wallets', lane::smallint)
       JOIN pg_dist_node n ON n.groupid = p.groupid
      GROUP BY 1 ORDER BY 1`,
  );
  return rows;
}
