import { arrayLiteral } from '../connection/array-literal.ts';
import type { Handle, Statement } from '../connection/handle.ts';
import type { SuspenseReason } from './deposit.ts';
import { SUSPENSE_REASON } from './find-deposit.ts';
import { DaftariError } from '../errors.ts';
import { normalizeAmount } from '../money.ts';
import { receiptKey } from './receipt.ts';
import { requireText, requireTime } from '../request.ts';
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
  /** The payer's number as it was told: digits, or a mask. Null when none came, or only a hash. */
  readonly phone: string | null;
  readonly payerName: string | null;
  readonly reason: SuspenseReason | null;
  /** Wallets that may have been meant. */
  readonly suggestions: readonly Suggestion[];
  /** Where its money is now; null while it waits. */
  readonly assignment: { readonly reference: string; readonly wallet: string } | null;
  /** Who marked it as one that goes back to its payer; null for one that is not. */
  readonly refund: { readonly markedBy: string; readonly markedAt: Date } | null;
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
  /** Only the payment with this receipt. */
  readonly receipt?: string;
  /** Only those whose payers typed this, or something around it, in any case. */
  readonly account?: string;
  /** Only those whose payers' names have these words, or words around them, in any order and case. */
  readonly name?: string;
  /** Only those of this amount, a decimal string of at most two decimals. */
  readonly amount?: string;
  /** Only those that were recorded from this moment on. */
  readonly from?: Date;
  /** Only those that were recorded before this moment. */
  readonly to?: Date;
}

/**
 * Payments in suspense, page by page, the latest first. A page does not shift when payments arrive or are assigned: the
 * cursor is a place in the order of time, whose index serves it.
 *
 * @throws DaftariError `invalid_request` for an invalid cursor, limit or date; `invalid_amount`
 */
export async function listSuspense(db: Handle, request: SuspenseRequest = {}): Promise<SuspensePage> {
  const { all = false, limit: asked = 50, cursor = LAST } = request;
  const place = earlier(placeOf(cursor), request.to);
  if (!Number.isInteger(asked)) throw new DaftariError('invalid_request', { field: 'limit' });
  const limit = Math.min(Math.max(asked, 1), 200);
  const from = requireTime('from', request.from ?? BEGINNING);
  const { account = null, name = null, receipt } = request;
  if (account !== null) requireText('account', account, 100);
  if (name !== null) requireText('name', name, 120);
  const amount = request.amount === undefined ? null : normalizeAmount(request.amount);
  const filters = [...place, EXAMINED, from, all, account, amount, name, limit + 1];
  if (receipt !== undefined) {
    requireText('receipt', receipt, 50);
    const [row] = await query<SuspenseRow>(db, ONE, [...filters, receiptKey(receipt)]);
    return { payments: row === undefined ? [] : await paymentsOf(db, [row]), nextCursor: null };
  }
  const rows = await query<SuspenseRow>(db, LIST, filters);
  const page = rows.slice(0, limit);
  const last = rows.length > limit ? (page.at(-1)?.place ?? null) : await endOf(db, place, from);
  return { payments: await paymentsOf(db, page), nextCursor: last };
}

async function paymentsOf(db: Handle, page: readonly SuspenseRow[]): Promise<SuspensePayment[]> {
  const refunds = await refundsOf(db, page);
  return page.map((row) => ({ ...paymentOf(row), refund: refunds.get(row.receipt) ?? null }));
}

/** The payments that are marked as going back to their payers. */
async function refundsOf(
  db: Handle,
  page: readonly Pick<SuspenseRow, 'receipt'>[],
): Promise<Map<string, NonNullable<SuspensePayment['refund']>>> {
  if (page.length === 0) return new Map();
  const rows = await query<RefundRow>(db, REFUNDS, [arrayLiteral(page.map(({ receipt }) => receipt))]);
  return new Map(
    rows.map(({ receipt, marked_by: markedBy, marked_ms: markedMs }) => [
      receipt,
      { markedBy, markedAt: new Date(Number(markedMs)) },
    ]),
  );
}

/** Where the postings that one page looks at end; null when there are no more behind them. */
async function endOf(db: Handle, place: Place, from: string): Promise<string | null> {
  const [row] = await query<{ place: string }>(db, END, [...place, EXAMINED, from]);
  return row?.place ?? null;
}

/** When a payment came in, the version of its stripe then, and its id. */
type Place = readonly [createdAt: string, version: string, id: string];

/** The place, or the first one before a moment where that is earlier. */
function earlier(place: Place, to: Date | undefined): Place {
  if (to === undefined) return place;
  const moment = requireTime('to', to);
  return moment <= place[0] ? [moment, '0', '00000000-0000-0000-0000-000000000000'] : place;
}

/** Before the ledger. */
const BEGINNING = new Date('2000-01-01T00:00:00Z');

function placeOf(cursor: string): Place {
  const found = /^(\d{1,15})-(\d{1,18})-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/.exec(cursor);
  const [, ms, version, id] = found ?? [];
  if (ms === undefined || version === undefined || id === undefined) {
    throw new DaftariError('invalid_request', { field: 'cursor' });
  }
  return [requireTime('cursor', new Date(Number(ms))), version, id];
}

function paymentOf(row: SuspenseRow): Omit<SuspensePayment, 'refund'> {
  const { assignment, wallet } = row;
  return {
    receipt: row.receipt,
    amount: row.amount,
    remaining: row.remaining,
    currency: row.currency,
    paidAt: row.paid_at_ms === null ? null : new Date(Number(row.paid_at_ms)),
    createdAt: new Date(Number(row.created_at_ms)),
    account: row.account,
    phone: row.phone,
    payerName: row.payer_name,
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

/** Behind everything. */
const LAST = `${String(Date.UTC(9999))}-0-ffffffff-ffff-ffff-ffff-ffffffffffff`;

interface RefundRow {
  readonly receipt: string;
  readonly marked_by: string;
  readonly marked_ms: string;
}

interface SuspenseRow {
  readonly receipt: string;
  readonly amount: string;
  readonly remaining: string;
  readonly currency: string;
  readonly paid_at_ms: string | null;
  readonly created_at_ms: string;
  readonly account: string | null;
  readonly phone: string | null;
  readonly payer_name: string | null;
  readonly reason: string | null;
  readonly suggestions: string | null;
  readonly assignment: string | null;
  readonly wallet: string | null;
  readonly place: string;
}

const IN_SUSPENSE = `credit_wallet_id LIKE 'SUSPENSE%' AND core.account_of(credit_wallet_id) = 'SUSPENSE'`;

const BEFORE = '(created_at, credit_version, id) < ($1::timestamp, $2::bigint, $3::uuid)';

const LATEST_FIRST = 'created_at DESC, credit_version DESC, id DESC';

const CURSOR = `(extract(epoch FROM p.created_at) * 1000)::bigint || '-' || p.credit_version || '-' || p.id`;

// What came into suspense, in whichever stripe it waits, backwards along transactions_suspense_idx. Reversed assignments
// come in as well; their payments stand where they first came in.
const listOf = ({ payments, logs, assignments, reason }: Words) => `
SELECT p.reference AS receipt, p.amount::text AS amount, p.remaining::text AS remaining, p.currency::text AS currency,
       (extract(epoch FROM l.paid_at) * 1000)::bigint::text AS paid_at_ms,
       (extract(epoch FROM p.created_at) * 1000)::bigint::text AS created_at_ms,
       l.account, l.phone, l.payer_name, ${reason} AS reason, CASE WHEN p.assignment IS NULL THEN (${SUGGESTIONS}) END AS suggestions,
       p.assignment, a.credit_wallet_id AS wallet, ${CURSOR} AS place
  FROM ${payments} p
  LEFT JOIN ${logs} l ON l.mpesa_receipt = p.reference
  LEFT JOIN ${assignments} a ON a.reference = p.assignment
 WHERE ($6::boolean OR (p.assignment IS NULL AND p.remaining > 0))
   AND ($7::text IS NULL OR strpos(lower(l.account), lower($7::text)) > 0)
   AND ($8::numeric IS NULL OR p.amount = $8::numeric)
   AND ($9::text IS NULL OR NOT EXISTS (
       SELECT FROM unnest(core.name_words($9::text)) AS w (word)
        WHERE strpos(array_to_string(core.name_words(coalesce(l.payer_name, '')), ' '), w.word) = 0
   ))
 ORDER BY p.created_at DESC, p.credit_version DESC, p.id DESC
 LIMIT $10::integer`;

/** What the statement says in another way where the tables lie on several servers. */
interface Words {
  readonly payments: string;
  readonly logs: string;
  readonly assignments: string;
  readonly reason: string;
}

const onOneServer = (which: string) =>
  listOf({
    payments: `(
    SELECT t.id, t.reference, t.amount, t.currency, t.created_at, t.credit_version,
           c.reference AS assignment, core.remaining_of(t.id) AS remaining
      FROM (
        SELECT id, reference, type, amount, currency, created_at, credit_version FROM core.transactions
         WHERE ${IN_SUSPENSE} AND ${BEFORE} AND created_at >= $5::timestamp ${which}
         ORDER BY ${LATEST_FIRST}
         LIMIT $4::integer
      ) t
     CROSS JOIN LATERAL core.current_assignment(t.reference) c
     WHERE t.type = 'DEPOSIT'
     ORDER BY ${LATEST_FIRST}
  )`,
    logs: 'services.mpesa_logs',
    assignments: 'core.transactions',
    reason: SUSPENSE_REASON,
  });

const overNodes = (receipt: string) =>
  `
WITH payments AS MATERIALIZED (
    SELECT *
      FROM lanes.suspense_payments(ARRAY(
        SELECT t FROM lanes.suspense_before($1::timestamp, $2::bigint, $3::uuid, $4::integer, $5::timestamp, ${receipt}) t
      ))
)${listOf({
    payments: 'payments',
    logs: 'lanes.logs_of(ARRAY(SELECT x.reference FROM payments x))',
    assignments:
      'lanes.transactions_of(ARRAY(SELECT x.assignment FROM payments x WHERE x.assignment IS NOT NULL))',
    reason: 'lanes.suspense_reason(l)',
  })}`;

const LIST: Statement = { name: 'suspense_list', text: onOneServer(''), overNodes: overNodes('NULL') };

const ONE: Statement = {
  name: 'suspense_one',
  text: onOneServer('AND reference = $11::text'),
  overNodes: overNodes('$11::text'),
};

const REFUNDS: Statement = {
  name: 'suspense_refunds',
  text: `
SELECT m.receipt, m.decided_by AS marked_by, (extract(epoch FROM m.created_at) * 1000)::bigint::text AS marked_ms
  FROM (
    SELECT DISTINCT ON (d.receipt) d.receipt, d.decision, d.decided_by, d.created_at
      FROM services.mpesa_decisions d
     WHERE d.receipt = ANY ($1::text[]) AND d.decision IN ('REFUND', 'NO_REFUND')
     ORDER BY d.receipt, d.id DESC
  ) m
 WHERE m.decision = 'REFUND'`,
};

const END: Statement = {
  name: 'suspense_list_end',
  text: `
SELECT ${CURSOR} AS place
  FROM (
    SELECT created_at, credit_version, id FROM core.transactions
     WHERE ${IN_SUSPENSE} AND ${BEFORE} AND created_at >= $5::timestamp
     ORDER BY ${LATEST_FIRST}
    OFFSET $4::integer - 1 LIMIT 1
  ) p
 WHERE EXISTS (
    SELECT FROM core.transactions
     WHERE ${IN_SUSPENSE} AND (created_at, credit_version, id) < (p.created_at, p.credit_version, p.id)
       AND created_at >= $5::timestamp
 )`,
  // The last of as many, where one more is behind it.
  overNodes: `
WITH examined AS MATERIALIZED (
    SELECT t.created_at, t.credit_version, t.id
      FROM lanes.suspense_before($1::timestamp, $2::bigint, $3::uuid, $4::integer + 1, $5::timestamp) t
)
SELECT ${CURSOR} AS place
  FROM (SELECT * FROM examined ORDER BY ${LATEST_FIRST} OFFSET $4::integer - 1 LIMIT 1) p
 WHERE (SELECT count(*) FROM examined) > $4::integer`,
};
