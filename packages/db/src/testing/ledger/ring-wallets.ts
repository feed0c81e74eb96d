import { Client } from 'pg';
import { createDb } from '../../connection/db.ts';
import { openWallet } from '../../wallets/wallets.ts';
import { allFaults } from './hold-faults.ts';
import { post } from '../database/post.ts';
import { isOverNodes } from '../database/nodes.ts';
import type { Sql } from '../database/test-db.ts';

const WALLETS = 100;

/** Opens a hundred wallets with a hundred shillings each. */
export async function openRing(url: string): Promise<string[]> {
  const db = createDb({ url });
  const ring = await Promise.all(
    Array.from({ length: WALLETS }, (_, i) =>
      openWallet(db, { holderName: 'Wanjiku Kamau', phone: `2547${String(90_000_000 + i)}` }),
    ),
  );
  await db.close();
  const numbers = ring.map(({ number }) => number);
  await look(url, (sql) =>
    post(
      sql,
      numbers.map((to) => ({
        reference: `OPEN${to}`,
        from: 'MPESA-FLOAT',
        to,
        amount: '100.00',
        type: 'DEPOSIT',
      })),
    ),
  );
  return numbers;
}

/** What is wrong with the ledger, how much is in it, and how often sessions waited in a circle. */
export async function ringFaults(
  url: string,
): Promise<{ faults: string[]; total: string; deadlocks: number }> {
  return look(url, async (sql) => {
    const [row] = await sql(
      `SELECT (SELECT sum(balance)::text FROM core.wallets) AS total,
              ${isOverNodes ? DEADLOCKS_OVER_NODES : DEADLOCKS} AS deadlocks`,
    );
    return {
      faults: await allFaults(sql),
      total: String(row?.['total']),
      deadlocks: Number(row?.['deadlocks']),
    };
  });
}

const DEADLOCKS = '(SELECT deadlocks::integer FROM pg_stat_database WHERE datname = current_database())';

const DEADLOCKS_OVER_NODES = `(
  SELECT sum(n.result::integer)
    FROM run_command_on_all_nodes('SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()') n
)`;

async function look<Result>(url: string, work: (sql: Sql) => Promise<Result>): Promise<Result> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return await work(
      async (text, values = []) => (await client.query<Record<string, unknown>>(text, [...values])).rows,
    );
  } finally {
    await client.end();
  }
}
