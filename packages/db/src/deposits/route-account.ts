import type { SuspenseReason } from './deposit.ts';
import type { Handle, Statement } from '../connection/handle.ts';
import { DaftariError } from '../errors.ts';
import { query } from '../connection/handle.ts';

/** What the account that a payer typed leads to. */
export type AccountRoute =
  | { readonly status: 'known'; readonly wallet: string }
  | { readonly status: SuspenseReason; readonly suggestions: readonly string[] };

/**
 * Routes an account as a deposit to it would be routed at this moment, without moving anything: exactly as typed,
 * then without spaces and hyphens, then as the phone number that exactly one wallet has.
 */
export async function routeAccount(db: Handle, account: string): Promise<AccountRoute> {
  const [row] = await query<RouteRow>(db, ROUTE, [account.replaceAll('\0', '').toWellFormed()]);
  if (row === undefined) throw new DaftariError('database_error');
  if (row.status === 'known' && row.wallet !== null) return { status: 'known', wallet: row.wallet };
  const suggestions = row.suggestions === '' ? [] : row.suggestions.split(',');
  return { status: row.status as SuspenseReason, suggestions };
}

interface RouteRow {
  readonly status: string;
  readonly wallet: string | null;
  readonly suggestions: string;
}

const ROUTE: Statement = {
  name: 'account_route',
  text: `
SELECT r.wallet_id AS wallet,
       CASE
           WHEN r.wallet_id IS NULL THEN r.reason
           WHEN w.status = 'FROZEN' THEN 'wallet_frozen'
           WHEN w.status = 'CLOSED' THEN 'wallet_closed'
           WHEN w.currency <> 'KES' THEN 'currency_mismatch'
           ELSE 'known'
       END AS status,
       CASE
           WHEN r.reason IS NULL THEN ''
           ELSE coalesce((SELECT string_agg(s.wallet, ',') FROM core.suggest_wallets($1, NULL, NULL) AS s), '')
       END AS suggestions
  FROM core.route_account($1::text) AS r
  LEFT JOIN core.wallets w ON w.id = r.wallet_id`,
};
