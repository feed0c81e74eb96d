import { until } from '@repo/testing/until';
import { isOverNodes } from './nodes.ts';
import { connect, sqlOf } from './test-db.ts';
import type { Sql } from './test-db.ts';

const WAITING = `
SELECT count(*)::int AS count FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`;

const WAITING_OVER_NODES = `
SELECT sum(n.result::int)::int AS count
  FROM run_command_on_all_nodes($$
    SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()
  $$) n`;

/**
 * Waits until so many statements in the database wait for locks. It asks on a connection of its own, or through `sql`
 * outside any transaction: within one pg_stat_activity is read once and stays as it was.
 */
export async function untilWaiting(observer: string | Sql, count: number): Promise<void> {
  if (typeof observer === 'string') {
    const client = await connect(observer);
    try {
      await untilWaiting(sqlOf(client), count);
    } finally {
      await client.end();
    }
    return;
  }
  const look = async () => (await observer(isOverNodes ? WAITING_OVER_NODES : WAITING))[0]?.['count'];
  await until(`${String(count)} statements that wait for locks`, look, {
    isFit: (waiting) => waiting === count,
  });
}
