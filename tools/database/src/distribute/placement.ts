import type { Client } from 'pg';
import { EVERYWHERE } from './keys.ts';
import { LANE_ENTRIES, nameInLanes } from './lane-form.ts';

/**
 * How many shards a table of the lanes has. Lanes are hashed to shards: with 24 of them, placed in turns, two workers have eight
 * lanes each.
 */
const SHARDS = 24;

/** What a transaction says of itself that makes tables, keys and functions on all nodes. */
const SETTINGS: readonly string[] = [
  // Tables that point to each other are made over one connection to each node.
  `SET LOCAL citus.multi_shard_modify_mode = 'sequential'`,
  // The guards are triggers, and look at nothing but their row and a setting.
  'SET LOCAL citus.enable_unsafe_triggers = on',
  'SET LOCAL client_min_messages = warning',
  `SET LOCAL citus.propagate_set_commands = 'local'`,
  `SET LOCAL citus.shard_count = ${String(SHARDS)}`,
];

/** Begins a transaction that makes tables, keys and functions on all nodes, does the work in it and commits it. */
export async function inForm(client: Client, work: () => Promise<void>): Promise<void> {
  await client.query('BEGIN');
  try {
    for (const setting of SETTINGS) await client.query(setting);
    await work();
    await client.query('COMMIT');
  } catch (error) {
    // It may have been the connection that failed, and then there is nothing to roll back.
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

/**
 * What every session needs: what is set for a transaction on one node holds on the others that it reaches, which opens the
 * door there; and one connection to each node does what there is to do for it, because each of them costs more than it saves. Citus
 * refuses to change a row of the coordinator after it has asked several connections at once ("there was a parallel operation").
 */
const SESSION_SETTINGS = {
  'citus.propagate_set_commands': 'local',
  'citus.max_adaptive_executor_pool_size': '1',
  'citus.multi_shard_modify_mode': 'sequential',
};

/** Sets it for sessions that begin from now on. Citus repeats it on the workers, which take it from the coordinator alone. */
export async function setSessions(client: Client): Promise<void> {
  const { rows } = await client.query<{ name: string }>('SELECT quote_ident(current_database()) AS name');
  for (const [setting, value] of Object.entries(SESSION_SETTINGS)) {
    await client.query(`ALTER DATABASE ${String(rows[0]?.name)} SET ${setting} = '${value}'`);
  }
}

/** Settings of sessions that some node does not have so. */
export async function unsetSomewhere(client: Client): Promise<string[]> {
  const { rows } = await client.query<{ result: string }>('SELECT result FROM run_command_on_all_nodes($1)', [
    `SELECT coalesce(string_agg(c, ' '), '')
       FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase, unnest(s.setconfig) AS c
      WHERE d.datname = current_database() AND s.setrole = 0`,
  ]);
  const all = Object.entries(SESSION_SETTINGS).map(([setting, value]) => `${setting}=${value}`);
  return all.filter((setting) => rows.some(({ result }) => !result.split(' ').includes(setting)));
}

/** Each lane asks what every node has whole. */
export async function copyEverywhere(client: Client): Promise<void> {
  for (const name of await missingSomewhere(client))
    await client.query('SELECT create_reference_table($1::regclass)', [name]);
}

/** Tables that every node should have whole, and has not. */
export async function missingSomewhere(client: Client): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT p.logicalrelid::text AS name FROM pg_dist_partition p WHERE p.partmethod = 'n' AND p.repmodel = 't'`,
  );
  const whole = new Set(rows.map(({ name }) => name));
  return EVERYWHERE.filter((name) => !whole.has(name));
}

/** What belongs to no lane stays on the coordinator, where every node finds it. */
export async function keepOnCoordinator(client: Client): Promise<void> {
  for (const name of await strayTables(client)) {
    await client.query(
      `SELECT citus_add_local_table_to_metadata('${name}', cascade_via_foreign_keys => true)`,
    );
  }
}

/** Tables of ours that no other node finds. */
export async function strayTables(client: Client): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT format('%I.%I', n.nspname, c.relname) AS name
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE (n.nspname IN ('core', 'services') OR c.relname = '_prisma_migrations') AND c.relkind = 'r'
        AND NOT EXISTS (SELECT FROM pg_dist_partition p WHERE p.logicalrelid = c.oid)
      ORDER BY 1`,
  );
  return rows.map(({ name }) => name);
}

/** Every node has every function. */
export async function distributeFunctions(client: Client): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT p.oid::regprocedure::text AS name FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
      WHERE n.nspname IN ('core', 'services') AND p.prokind = 'f'
        AND NOT EXISTS (
            SELECT FROM pg_catalog.pg_dist_object o WHERE o.classid = 'pg_proc'::regclass AND o.objid = p.oid
        )
      ORDER BY 1`,
  );
  for (const { name } of rows)
    await client.query('SELECT create_distributed_function($1::regprocedure)', [name]);
}

/** A call that names a lane runs on the node that has it, also within a transaction that reaches others. */
export async function delegate(client: Client): Promise<void> {
  for (const name of Object.keys(LANE_ENTRIES)) {
    await client.query(
      `SELECT create_distributed_function(p.oid::regprocedure, 'p_lane', colocate_with => 'core.wallets', force_delegation => true)
         FROM pg_proc p WHERE p.oid = $1::regproc`,
      [nameInLanes(name)],
    );
  }
}
