import { setTimeout as sleep } from 'node:timers/promises';
import type { Db } from '../connection/db.ts';
import type { Handle, Statement } from '../connection/handle.ts';
import { query } from '../connection/handle.ts';
import { transaction } from '../connection/transaction.ts';
import { DaftariError } from '../errors.ts';

/**
 * Copies the tables that checks read to the node that is asked, as they all were at one moment, so that every check can join
 * them. Each node commits its part of a transfer by itself; so for a moment, until every node has fixed what it shows, nothing
 * is written.
 *
 * @param snapshot a transaction that sees one moment, in which nothing has been asked yet; it takes a second connection of `db`
 * @returns the text of a check over the copies
 */
export async function copyTables(
  db: Db,
  snapshot: Handle,
  checks: readonly string[],
): Promise<(sql: string) => string> {
  const tables = new Set(checks.flatMap((sql) => [...sql.matchAll(TABLE)].map(([table]) => table)));
  const names = [...tables].toSorted();
  await transaction(db, async (gate) => {
    await query(gate, STOP_WRITERS, []);
    await untilCommitted(gate);
    // One row of each: every node that has rows fixes its moment.
    const looks = names.map((table) => `(SELECT count(*) FROM (SELECT 1 FROM ${table} LIMIT 1) x)`);
    await query(snapshot, statement('moment', `SELECT (${looks.join(' + ')})::text AS rows`), []);
  });
  for (const table of names) {
    const copy = copyOf(table);
    const columns = COLUMNS[table] ?? '*';
    await query(
      snapshot,
      statement(
        `copy_${copy}`,
        `CREATE TEMP TABLE ${copy} ON COMMIT DROP AS SELECT ${columns} FROM ${table}`,
      ),
      [],
    );
    // A query that groups by a key may show the other columns, too.
    if (table === 'core.transactions')
      await query(snapshot, statement(`key_${copy}`, `ALTER TABLE ${copy} ADD PRIMARY KEY (id)`), []);
    await query(snapshot, statement(`analyze_${copy}`, `ANALYZE ${copy}`), []);
  }
  return (sql) => sql.replaceAll(TABLE, copyOf);
}

/** A table of ours with an alias behind it, as all checks name them. */
const TABLE = /\b(?:core|services)\.[a-z_]+(?= [a-z]\b)/g;

const copyOf = (table: string): string => `audited_${table.replace('.', '_')}`;

/** What is read of tables that have much beside it. */
const COLUMNS: Readonly<Record<string, string>> = {
  'services.mpesa_callbacks': 'receipt, outcome',
  'services.sms_logs': 'cost, currency, attempts',
};

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
  name: 'audit_stop_writers',
  text: `SELECT lanes.stop_writers()::text AS done`,
};

const UNFINISHED: Statement = {
  name: 'audit_unfinished',
  text: `SELECT lanes.unfinished_transactions()::text AS count`,
};

function statement(name: string, text: string): Statement {
  return { name: `audit_${name}`, text };
}
