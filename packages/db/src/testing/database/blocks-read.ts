import { valueOf } from './test-db.ts';
import type { TestDb } from './test-db.ts';

/**
 * Vacuums a table, and gives a function that says how many of its pages and of those of its indexes something looks at,
 * in memory or on disk. The server counts for all sessions together, and some tell late what they read long before. So
 * its own vacuum stays away from the table, and the work is done twice: the smaller number counts.
 */
export async function watchBlocks(
  { db, sql }: Pick<TestDb, 'db' | 'sql'>,
  table: `core.${string}`,
): Promise<(work: () => Promise<unknown>) => Promise<number>> {
  await sql(`ALTER TABLE ${table} SET (autovacuum_enabled = off)`);
  await sql(`VACUUM ANALYZE ${table}`);

  async function blocksRead(): Promise<number> {
    // Each connection tells at the end of a transaction, at most once a second unless it is asked to.
    await db.run({ name: 'flush', text: 'SELECT pg_stat_force_next_flush()::text' }, []);
    await sql('SELECT pg_stat_force_next_flush()');
    await sql('SELECT pg_stat_clear_snapshot()');
    const text = `SELECT heap_blks_hit + heap_blks_read + idx_blks_hit + idx_blks_read
                    FROM pg_statio_user_tables WHERE relid = $1::regclass`;
    return Number(await valueOf(sql, text, [table]));
  }

  async function readBy(work: () => Promise<unknown>): Promise<number> {
    const before = await blocksRead();
    await work();
    return (await blocksRead()) - before;
  }

  return async (work) => Math.min(await readBy(work), await readBy(work));
}
