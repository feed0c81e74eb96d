import { execute } from '@repo/postgres/database';
import { until } from '@repo/testing/until';

const WAITING = `
SELECT count(*)::int AS count FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`;

/**
 * Waits until so many statements in the database wait for locks. It asks on connections of its own: within one
 * transaction pg_stat_activity is read once and stays as it was.
 */
export async function untilWaiting(url: string, count: number): Promise<void> {
  const look = async () => (await execute(url, WAITING))[0]?.['count'];
  await until(`${String(count)} statements that wait for locks`, look, {
    isFit: (waiting) => waiting === count,
  });
}
