import type { Payer, SuspenseReason } from './deposit.ts';
import type { Handle, Statement } from '../connection/handle.ts';
import { DaftariError } from '../errors.ts';
import { query } from '../connection/handle.ts';

/** What the account that a payer typed leads to. */
export type AccountRoute =
  | { readonly status: 'known'; readonly wallet: string }
  | { readonly status: SuspenseReason; readonly suggestions: readonly string[] };

/** Who pays, as far as a message tells it: digits or a mask, or a hash. */
type PayerNumber = Pick<Payer, 'phone' | 'phoneHash'>;

/**
 * Routes an account as a deposit to it would be routed at this moment, without moving anything: exactly as typed,
 * then without spaces and hyphens, then as the phone number that exactly one wallet has, then as the reference of a payment
 * that we asked this payer's phone for.
 */
export async function routeAccount(
  db: Handle,
  account: string,
  { phone, phoneHash }: PayerNumber = { phone: null, phoneHash: null },
): Promise<AccountRoute> {
  const values = [account.replaceAll('\0', '').toWellFormed(), phone, phoneHash];
  const [row] = await query<RouteRow>(db, ROUTE, values);
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
  name: 'account_route_of_payer',
  text: `
SELECT r.wallet AS wallet,
       CASE
           WHEN r.wallet IS NULL THEN r.reason
           WHEN w.status = 'FROZEN' THEN 'wallet_frozen'
           WHEN w.status = 'CLOSED' THEN 'wallet_closed'
           WHEN w.currency <> 'KES' THEN 'currency_mismatch'
           ELSE 'known'
       END AS status,
       CASE
           WHEN r.wallet IS NOT NULL THEN ''
           ELSE coalesce((SELECT string_agg(s.wallet, ',') FROM core.suggest_wallets($1, NULL, NULL) AS s), '')
       END AS suggestions
  FROM (
    SELECT a.reason,
           CASE
               WHEN a.reason IS NULL THEN a.wallet_id
               ELSE services.wallet_of_payment(p_account => $1::text, p_phone => $2::text, p_phone_hash => $3::text)
           END AS wallet
      FROM core.route_account($1::text) AS a
  ) r
  LEFT JOIN core.wallets w ON w.id = r.wallet`,
};
