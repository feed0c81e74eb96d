import { execute } from '@repo/postgres/database';
import { Client } from 'pg';
import { DROP_TRIGGERS } from '../data/databases.ts';
import { BenchmarkError } from '../lib/errors.ts';
import { depositsWork } from './deposits-work.ts';
import type { Workbench } from './workbench.ts';

/** Batches that are recorded beforehand, at most: enough for a window of any pace. */
const BATCHES = 120;

/**
 * Deposits per second of one connection that inserts the four rows of each into the same tables with the same indexes, a
 * batch a transaction, and does nothing else: no triggers, no foreign keys, nothing looked up or worked out. Reading the
 * rows, which were recorded before, counts.
 */
export async function measureFloor({ databases, payments, pace }: Workbench, batch: number): Promise<number> {
  const batches = Math.min(BATCHES, Math.floor(pace.prebuilt / batch));
  return databases.withFresh('ledger', async (url) => {
    const client = new Client({ connectionString: url });
    await client.connect();
    try {
      for (let place = 0; place < batches; place += 1) {
        const deposits = Array.from({ length: batch }, (_, offset) => payments.at(place * batch + offset));
        for (const statement of depositsWork(deposits)) await client.query(statement);
      }
      await execute(url, TAKE_OUT);
      let busyMs = 0;
      let done = 0;
      while (busyMs < pace.window && done < batches) {
        done += 1;
        const begun = performance.now();
        await client.query(`BEGIN; ${TABLES.map((table) => insert(table, done)).join('; ')}; COMMIT`);
        busyMs += performance.now() - begun;
      }
      const { rows } = await client.query<{ count: number }>(
        'SELECT count(*)::int AS count FROM services.sms_logs',
      );
      if (rows[0]?.count !== done * batch) throw new BenchmarkError('not_credited', 'rows are missing.');
      return (done * batch * 1_000) / busyMs;
    } finally {
      await client.end();
    }
  });
}

const TABLES = [
  'core.transactions',
  'services.mpesa_logs',
  'services.sms_logs',
  'services.mpesa_callbacks',
] as const;

/** Where the rows of a table wait, in the order in which they were recorded. */
const shelfOf = (table: string): string => `shelf.${table.replace('.', '_')}`;

function insert(table: string, place: number): string {
  return `INSERT INTO ${table} SELECT (s.kept).* FROM ${shelfOf(table)} s WHERE s.batch = ${String(place)}`;
}

const keep = (table: string): string => `
CREATE TABLE ${shelfOf(table)} AS
SELECT b.batch, r AS kept FROM shelf.batches b JOIN ${table} r ON r.id = b.id ORDER BY r.id;
CREATE INDEX ON ${shelfOf(table)} (batch);
ANALYZE ${shelfOf(table)};`;

// All rows of a deposit have its id. What refuses rows that come in another way is removed, and what checks them.
const TAKE_OUT = `
CREATE SCHEMA shelf;
CREATE TABLE shelf.batches AS SELECT id, dense_rank() OVER (ORDER BY xact_id) AS batch FROM core.transactions;
${TABLES.map(keep).join('')}
${DROP_TRIGGERS}
DO $$
DECLARE
    t record;
BEGIN
    FOR t IN SELECT conname AS name, conrelid::regclass AS owner FROM pg_constraint WHERE contype = 'f' LOOP
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', t.owner, t.name);
    END LOOP;
END
$$;
TRUNCATE ${TABLES.join(', ')};
CHECKPOINT`;
