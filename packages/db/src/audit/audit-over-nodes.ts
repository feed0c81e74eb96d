import type { Db } from '../connection/db.ts';
import type { Handle, Statement } from '../connection/handle.ts';
import { query } from '../connection/handle.ts';
import { fixMoment } from '../connection/moment-over-nodes.ts';

/**
 * Copies the tables that checks read to the node that is asked, as they all were at one moment, so that every check can join
 * them.
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
  await fixMoment(db, snapshot, { name: 'audit_moment', tables: names });
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

function statement(name: string, text: string): Statement {
  return { name: `audit_${name}`, text };
}
