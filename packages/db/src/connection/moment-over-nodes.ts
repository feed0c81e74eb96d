import { setTimeout as sleep } from 'node:timers/promises';
import { DaftariError } from '../errors.ts';
import type { Db } from './db.ts';
import type { Handle, Statement } from './handle.ts';
import { query } from './handle.ts';
import { transaction } from './transaction.ts';

/**
 * Lets a snapshot see one moment of a database over several servers. Each node commits its part of a transfer by itself; so for a
 * moment, until every node has fixed what it shows, nothing is written.
 *
 * @param snapshot a transaction that sees one moment, in which nothing has been asked yet; it takes a second connection of `db`
 * @param look names what is asked first, of tables that lie on every node that will be asked
 */
export async function fixMoment(
  db: Db,
  snapshot: Handle,
  look: { readonly name: string; readonly tables: readonly string[] },
): Promise<void> {
  await transaction(db, async (gate) => {
    await query(gate, STOP_WRITERS, []);
    await untilCommitted(gate);
    // One row of each: every node that has rows fixes its moment.
    const looks = look.tables.map((table) => `(SELECT count(*) FROM (SELECT 1 FROM ${table} LIMIT 1) x)`);
    await query(snapshot, { name: look.name, text: `SELECT (${looks.join(' + ')})::text AS rows` }, []);
  });
}

/** Waits until no node has its part of a transaction still to commit that others have committed. */
async function untilCommitted(gate: Handle): Promise<void> {
  for (let patience = MOST_LOOKS; patience > 0; patience -= 1) {
    const [row] = await query<{ count: string }>(gate, UNFINISHED, []);
    if (row?.count === '0') return;
    await sleep(PAUSE_MS);
  }
  throw new DaftariError('database_busy');
}

const PAUSE_MS = 20;
const MOST_LOOKS = 250;

const STOP_WRITERS: Statement = {
  name: 'nodes_stop_writers',
  text: `SELECT lanes.stop_writers()::text AS done`,
};

const UNFINISHED: Statement = {
  name: 'nodes_unfinished',
  text: `SELECT lanes.unfinished_transactions()::text AS count`,
};
