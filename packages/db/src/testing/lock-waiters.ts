import { execute } from '@repo/postgres/database';
import { expect } from 'vitest';

const WAITING = `
SELECT count(*)::int AS count FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`;

/**
 * Waits until so many statements in the database wait for locks. It asks on connections of its own: within one
 * transaction pg_stat_activity is read once and stays as it was.
 */
export async function untilWaiting(url: string, count: number): Promise<void> {
  await expect
    .poll(async () => (await execute(url, WAITING))[0]?.['count'], { interval: 10, timeout: 10_000 })
    .toBe(count);
}
