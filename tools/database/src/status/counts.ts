import type { Client } from 'pg';
import { IS_NOT_HISTORY, IS_USER_SCHEMA } from '../dump/catalog.ts';
import type { Progress } from '../terminal/progress.ts';

/** A number that an operator wants to see, with what it counts. */
export interface Count {
  readonly of: string;
  readonly count: string;
}

/** The sum of all balances in one currency, the outside world's included, which is zero or something is wrong. */
export interface BalanceSum {
  readonly currency: string;
  readonly sum: string;
  readonly isZero: boolean;
}

const TABLES = `
  SELECT n.nspname || '.' || c.relname AS name, format('%I.%I', n.nspname, c.relname) AS sql
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND ${IS_USER_SCHEMA} AND ${IS_NOT_HISTORY}
   ORDER BY n.nspname, c.relname`;

// Each names the table that it needs: a database may be at any migration.
const WAITING = [
  {
    of: 'suspense balance',
    table: 'core.wallets',
    sql: `SELECT coalesce(sum(balance), 0)::text AS count FROM core.wallets WHERE id ~ '^SUSPENSE(\\.[0-9]+)?$'`,
  },
  {
    of: 'callbacks for people to look at',
    table: 'services.mpesa_callbacks',
    sql: `SELECT count(*)::text AS count FROM services.mpesa_callbacks
           WHERE outcome IN ('CONFLICT', 'QUARANTINED', 'FAILED')`,
  },
  {
    of: 'SMS pending',
    table: 'services.sms_logs',
    sql: `SELECT count(*)::text AS count FROM services.sms_logs WHERE status = 'PENDING'`,
  },
  {
    of: 'SMS of unknown outcome, to be decided on',
    // The phase came with this table.
    table: 'services.sms_events',
    sql: `SELECT count(*)::text AS count FROM services.sms_logs WHERE phase = 'UNKNOWN'`,
  },
  {
    of: 'SMS failed',
    table: 'services.sms_logs',
    sql: `SELECT count(*)::text AS count FROM services.sms_logs WHERE status = 'FAILED'`,
  },
];

/** The rows of every table. Counts each table from end to end, which takes its time on a large one. */
export async function countTables(client: Client, progress: Progress): Promise<Count[]> {
  const { rows: tables } = await client.query<{ name: string; sql: string }>(TABLES);
  const counts: Count[] = [];
  for (const { name, sql } of tables) {
    progress.step(`counting ${name}`);
    counts.push({ of: name, count: await readText(client, `SELECT count(*)::text AS count FROM ${sql}`) });
  }
  return counts;
}

/** What waits for a person. */
export async function countWaiting(client: Client): Promise<Count[]> {
  const counts: Count[] = [];
  for (const { of, table, sql } of WAITING) {
    if (await isThere(client, table)) counts.push({ of, count: await readText(client, sql) });
  }
  return counts;
}

/** The sum of all balances for each currency. */
export async function sumBalances(client: Client): Promise<BalanceSum[]> {
  if (!(await isThere(client, 'core.wallets'))) return [];
  const { rows } = await client.query<BalanceSum>(`
    SELECT currency::text, sum(balance)::text AS sum, sum(balance) = 0 AS "isZero"
      FROM core.wallets GROUP BY currency ORDER BY currency`);
  return rows;
}

async function isThere(client: Client, table: string): Promise<boolean> {
  const { rows } = await client.query<{ there: boolean }>('SELECT to_regclass($1) IS NOT NULL AS there', [
    table,
  ]);
  return rows[0]?.there === true;
}

async function readText(client: Client, sql: string): Promise<string> {
  const { rows } = await client.query<{ count: string }>(sql);
  return rows[0]?.count ?? '';
}
