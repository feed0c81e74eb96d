import type { Handle, Statement } from '../connection/handle.ts';
import { query } from '../connection/handle.ts';

/**
 * Adds the verification hash to the oldest transactions without one, at most `limit`, and returns how many it filled.
 * Call it until `filled` is 0. It can be stopped between calls and continued, by several processes at once.
 */
export async function backfillHashes(
  db: Handle,
  request: { readonly limit: number },
): Promise<{ readonly filled: number }> {
  const [row] = await query<{ filled: number }>(db, FILL, [Math.min(Math.max(request.limit, 1), 10_000)]);
  return { filled: row?.filled ?? 0 };
}

/** How many transactions have no verification hash yet. */
export async function countUnhashed(db: Handle): Promise<number> {
  const [row] = await query<{ unhashed: number }>(db, COUNT, []);
  return row?.unhashed ?? 0;
}

const FILL: Statement = {
  name: 'hashes_backfill',
  text: `SELECT core.backfill_hashes($1::integer) AS filled`,
};

const COUNT: Statement = {
  name: 'hashes_unhashed',
  text: `SELECT count(*)::integer AS unhashed FROM core.transactions WHERE verification_hash IS NULL`,
};
