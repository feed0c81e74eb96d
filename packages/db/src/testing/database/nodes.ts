import { testNodes } from '@repo/postgres/citus';

/** A statement past the package. */
type Sql = (text: string, values?: readonly unknown[]) => Promise<Readonly<Record<string, unknown>>[]>;

/** Whether the tests of the ledger run over several nodes: TEST_NODES says how many workers. */
export const isOverNodes = testNodes() > 0;

/** How often something is done: over nodes each costs a hundred times the processor time. */
export function times(count: number): number {
  return isOverNodes ? Math.ceil(count / 12) : count;
}

/**
 * Asks copies of the ledger's tables and of the outbox, which one query can join as it likes. On one server it asks the tables.
 *
 * Nobody writes meanwhile.
 */
export function overCopies(sql: Sql): Sql {
  if (!isOverNodes) return sql;
  return async (text, values) => {
    for (const table of new Set([...text.matchAll(TABLE)].map(([name]) => name))) {
      const copy = copyOf(table);
      await sql(`DROP TABLE IF EXISTS ${copy}`);
      await sql(`CREATE TEMP TABLE ${copy} AS SELECT * FROM ${table}`);
      if (table !== 'core.requests') await sql(`ALTER TABLE ${copy} ADD PRIMARY KEY (id)`);
    }
    return sql(text.replaceAll(TABLE, copyOf), values);
  };
}

const TABLE = /\b(?:core\.(?:wallets|transactions|holds|requests)|services\.sms_logs)\b/g;

const copyOf = (table: string): string => `copied_${table.replace('.', '_')}`;
