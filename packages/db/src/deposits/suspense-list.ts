import type { Handle, Statement } from '../connection/handle.ts';
import type { SuspenseReason } from './deposit.ts';
import { SUSPENSE_REASON } from './find-deposit.ts';
import { DaftariError } from '../errors.ts';
import { query } from '../connection/handle.ts';
import { SUGGESTIONS, suggestionsOf } from './suggestions.ts';
import type { Suggestion } from './suggestions.ts';

/** A payment that came in for no wallet that could take it. Amounts are decimal strings with two decimals. */
export interface SuspensePayment {
  readonly receipt: string;
  readonly amount: string;
  /** The part that was not sent back to the payer. Only a payment without any part sent back can be assigned. */
  readonly remaining: string;
  readonly currency: string;
  /** When the customer paid; null for payments before this was kept. */
  readonly paidAt: Date | null;
  readonly createdAt: Date;
  /** What the payer typed; null when nothing came. */
  readonly account: string | null;
  readonly reason: SuspenseReason | null;
  /** Wallets that may have been meant. */
  readonly suggestions: readonly Suggestion[];
  /** Where its money is now; null while it waits. */
  readonly assignment: { readonly reference: string; readonly wallet: string } | null;
}

export interface SuspensePage {
  /** The latest first. */
  readonly payments: readonly SuspensePayment[];
  /** For the next page; null on the last one. A page can be shorter than was asked for and not be the last. */
  readonly nextCursor: string | null;
}

export interface SuspenseRequest {
  /** Also those that were assigned or sent back. Default: only those that wait. */
  readonly all?: boolean;
  /** Payments a page, 1 to 200. Default: 50. */
  readonly limit?: number;
  readonly cursor?: string;
}

/**
 * Payments in suspense, page by page, the latest first. A page does not shift when payments arrive or are assigned: the
 * cursor is the version of the suspense wallet, whose index serves it.
 *
 * @throws DaftariError `invalid_request` for an invalid cursor or limit
 */
export async function listSuspense(db: Handle, request: SuspenseRequest = {}): Promise<SuspensePage> {
  const { all = false, limit: asked = 50, cursor = LAST } = request;
  if (!/^\d{1,18}$/.test(cursor)) throw new DaftariError('invalid_request', { field: 'cursor' });
  if (!Number.isInteger(asked)) throw new DaftariError('invalid_request', { field: 'limit' });
  const limit = Math.min(Math.max(asked, 1), 200);
  const rows = await query<SuspenseRow>(db, LIST, [cursor, EXAMINED, all, limit + 1]);
  const page = rows.slice(0, limit);
  const last = rows.length > limit ? (page.at(-1)?.version ?? null) : await endOf(db, cursor);
  return { payments: page.map(paymentOf), nextCursor: last };
}

/** Where the postings that one page looks at end; null when there are no more behind them. */
async function endOf(db: Handle, cursor: string): Promise<string | null> {
  const [row] = await query<{ version: string }>(db, END, [cursor, EXAMINED]);
  return row?.version ?? null;
}

function paymentOf(row: SuspenseRow): SuspensePayment {
  const { assignment, wallet } = row;
  return {
    receipt: row.receipt,
    amount: row.amount,
    remaining: row.remaining,
    currency: row.currency,
    paidAt: row.paid_at_ms === null ? null : new Date(Number(row.paid_at_ms)),
    createdAt: new Date(Number(row.created_at_ms)),
    account: row.account,
    reason: row.reason as SuspenseReason | null,
    suggestions: suggestionsOf(row.suggestions),
    assignment: assignment === null || wallet === null ? null : { reference: assignment, wallet },
  };
}

/**
 * Postings that one page looks at, at most. Nearly all of suspense has been assigned after a while, and a page that
 * sought what still waits through years of it would keep everybody waiting.
 */
const EXAMINED = 2_000;

/** Behind every version. */
const LAST = '999999999999999999';

interface SuspenseRow {
  readonly receipt: string;
  readonly amount: string;
  readonly remaining: string;
  readonly currency: string;
  readonly paid_at_ms: string | null;
  readonly created_at_ms: string;
  readonly account: string | null;
  readonly reason: string | null;
  readonly suggestions: string | null;
  readonly assignment: string | null;
  readonly wallet: string | null;
  readonly version: string;
}

// What came into suspense, backwards along the index of the wallet's postings. Reversed assignments come in as well;
// their payments stand where they first came in.
const LIST: Statement = {
  name: 'suspense_list',
  text: `
SELECT p.reference AS receipt, p.amount::text AS amount, p.remaining::text AS remaining, p.currency::text AS currency,
       (extract(epoch FROM l.paid_at) * 1000)::bigint::text AS paid_at_ms,
       (extract(epoch FROM p.created_at) * 1000)::bigint::text AS created_at_ms,
       l.account, ${SUSPENSE_REASON} AS reason, CASE WHEN p.assignment IS NULL THEN (${SUGGESTIONS}) END AS suggestions,
       p.assignment, a.credit_wallet_id AS wallet, p.version::text AS version
  FROM (
    SELECT t.reference, t.amount, t.currency, t.created_at, t.credit_version AS version,
           c.reference AS assignment, core.remaining_of(t.id) AS remaining
      FROM (
        SELECT id, reference, type, amount, currency, created_at, credit_version FROM core.transactions
         WHERE credit_wallet_id = 'SUSPENSE' AND credit_version < $1::bigint
         ORDER BY credit_version DESC
         LIMIT $2::integer
      ) t
     CROSS JOIN LATERAL core.current_assignment(t.reference) c
     WHERE t.type = 'DEPOSIT'
     ORDER BY t.credit_version DESC
  ) p
  LEFT JOIN services.mpesa_logs l ON l.mpesa_receipt = p.reference
  LEFT JOIN core.transactions a ON a.reference = p.assignment
 WHERE $3::boolean OR (p.assignment IS NULL AND p.remaining > 0)
 ORDER BY p.version DESC
 LIMIT $4::integer`,
};

const END: Statement = {
  name: 'suspense_list_end',
  text: `
SELECT x.version::text AS version
  FROM (
    SELECT credit_version AS version FROM core.transactions
     WHERE credit_wallet_id = 'SUSPENSE' AND credit_version < $1::bigint
     ORDER BY credit_version DESC
    OFFSET $2::integer - 1 LIMIT 1
  ) x
 WHERE EXISTS (
    SELECT FROM core.transactions t WHERE t.credit_wallet_id = 'SUSPENSE' AND t.credit_version < x.version
 )`,
};
