import type { Handle, Statement } from '../connection/handle.ts';
import { query } from '../connection/handle.ts';
import { COLUMNS, walletOf } from './wallets.ts';
import type { WalletPage, WalletRow } from './wallets.ts';

/** Fewer letters would name half of all customers. */
const SHORTEST = 3;

/**
 * Customers' wallets by words of their holder's name, each by its beginning: `wanj kam` finds Wanjiku Kamau. Case,
 * accents and apostrophes do not count. In order of number, page by page: 20 a page (the default) and 100 at most.
 * Fewer than three letters find nothing.
 */
export async function findWalletsByName(
  db: Handle,
  filter: { readonly name: string; readonly limit?: number; readonly cursor?: string },
): Promise<WalletPage> {
  const { name, cursor = null } = filter;
  const isText = [name, cursor ?? ''].every((text) => text.isWellFormed() && !text.includes('\0'));
  const letters = name.match(/[\p{L}\p{M}]/gu)?.length ?? 0;
  if (!isText || letters < SHORTEST || name.length > 120) return { wallets: [], nextCursor: null };
  const limit = Math.min(Math.max(filter.limit ?? 20, 1), 100);
  const rows = await query<WalletRow>(db, FIND, [name, cursor, limit + 1]);
  const wallets = rows.slice(0, limit).map(walletOf);
  return { wallets, nextCursor: rows.length > limit ? (wallets.at(-1)?.number ?? null) : null };
}

// First what the index finds: left to itself the planner may walk all numbers in order and look at each name.
const FIND: Statement = {
  name: 'wallets_find_by_name',
  text: `
WITH found AS MATERIALIZED (
    SELECT * FROM core.wallets WHERE kind = 'CUSTOMER' AND core.name_vector(holder_name) @@ core.name_query($1::text)
)
SELECT ${COLUMNS}
  FROM found
 WHERE $2::varchar IS NULL OR id > $2::varchar
 ORDER BY id
 LIMIT $3::integer`,
};
