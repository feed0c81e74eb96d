import type { Handle, Statement } from '../connection/handle.ts';
import { DEPOSIT_OUTCOME } from './find-deposit.ts';
import type { DepositOutcome } from './find-deposit.ts';
import { DaftariError } from '../errors.ts';
import { requireTime } from '../request.ts';
import { query } from '../connection/handle.ts';

/** A payment of the list. What identifies the payer is personal data. */
export interface DepositItem {
  readonly receipt: string;
  /** What it is now. */
  readonly outcome: DepositOutcome;
  /** Decimal string of KES. */
  readonly amount: string;
  /** The wallet credited; null when none was. */
  readonly wallet: string | null;
  readonly shortCode: string | null;
  /** What the payer typed. */
  readonly account: string | null;
  /** The payer's number: digits, or the mask as sent. */
  readonly phone: string | null;
  readonly payerName: string | null;
  readonly paidAt: Date | null;
  readonly createdAt: Date;
}

export interface DepositPage {
  /** The latest recorded first. */
  readonly items: readonly DepositItem[];
  /** For the next page; null on the last one. */
  readonly nextCursor: string | null;
}

export interface DepositListRequest {
  /** When they were recorded: from this moment on. */
  readonly from?: Date;
  /** Before this moment. */
  readonly to?: Date;
  readonly outcome?: DepositOutcome;
  readonly cursor?: string;
  /** Payments a page, 1 to 1,000. Default: 50. */
  readonly limit?: number;
}

/**
 * Payments by the time when they were recorded, page by page. A page does not shift when payments arrive.
 *
 * @throws DaftariError `invalid_request` naming the field
 */
export async function listDeposits(db: Handle, request: DepositListRequest = {}): Promise<DepositPage> {
  const { outcome, cursor = LAST, limit: asked = 50 } = request;
  const from = requireTime('from', request.from ?? new Date(Date.UTC(2000)));
  const to = requireTime('to', request.to ?? new Date(Date.UTC(9999)));
  const position = /^(\d{1,15})-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/.exec(cursor);
  const [, ms, id] = position ?? [];
  if (ms === undefined || id === undefined) throw new DaftariError('invalid_request', { field: 'cursor' });
  if (!Number.isInteger(asked)) throw new DaftariError('invalid_request', { field: 'limit' });
  const limit = Math.min(Math.max(asked, 1), 1_000);
  const before = requireTime('cursor', new Date(Number(ms)));
  const isPosted = outcome === undefined || outcome === 'credited' || outcome === 'suspense';
  const values = [from, to, before, id, outcome ?? null, limit + 1];
  const rows = await query<DepositRow>(db, LIST_STATEMENTS[isPosted ? 'posted' : 'unposted'], values);
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  const nextCursor = rows.length > limit && last !== undefined ? `${last.created_at_ms}-${last.id}` : null;
  return { items: items.map(itemOf), nextCursor };
}

/** Behind everything. */
const LAST = `${String(Date.UTC(9999))}-ffffffff-ffff-ffff-ffff-ffffffffffff`;

interface DepositRow extends Omit<DepositItem, 'paidAt' | 'createdAt'> {
  readonly id: string;
  readonly paid_at_ms: string | null;
  readonly created_at_ms: string;
}

function itemOf(row: DepositRow): DepositItem {
  const { receipt, outcome, amount, wallet, shortCode, account, phone, payerName } = row;
  const { paid_at_ms, created_at_ms } = row;
  return {
    receipt,
    outcome,
    amount,
    wallet,
    shortCode,
    account,
    phone,
    payerName,
    paidAt: paid_at_ms === null ? null : new Date(Number(paid_at_ms)),
    createdAt: new Date(Number(created_at_ms)),
  };
}

// idx_mpesa_logs_created serves it, backwards; where only what was not posted is wanted, idx_mpesa_logs_unposted.
const listText = (condition: string) => `
SELECT id, receipt, outcome, amount, wallet, "shortCode", account, phone, "payerName", paid_at_ms, created_at_ms
  FROM (
    SELECT l.id::text AS id, l.mpesa_receipt AS receipt, ${DEPOSIT_OUTCOME} AS outcome, l.amount::text AS amount,
           core.account_of(t.credit_wallet_id) AS wallet, l.short_code AS "shortCode", l.account, l.phone, l.payer_name AS "payerName",
           (extract(epoch FROM l.paid_at) * 1000)::bigint::text AS paid_at_ms,
           (extract(epoch FROM l.created_at) * 1000)::bigint::text AS created_at_ms,
           l.created_at, l.id AS place
      FROM services.mpesa_logs l
      LEFT JOIN core.transactions t ON t.reference = l.mpesa_receipt AND t.type = 'DEPOSIT'
     WHERE l.created_at >= $1::timestamp AND l.created_at < $2::timestamp
       AND (l.created_at, l.id) < ($3::timestamp, $4::uuid)${condition}
  ) d
 WHERE $5::text IS NULL OR d.outcome = $5::text
 ORDER BY d.created_at DESC, d.place DESC
 LIMIT $6::integer`;

// Where the tables lie on several servers, a function looks at the logs a page at a time.
const listOverNodes = (isUnposted: boolean) => `
SELECT (d.log).id::text AS id, (d.log).mpesa_receipt AS receipt, d.outcome, (d.log).amount::text AS amount, d.wallet,
       (d.log).short_code AS "shortCode", (d.log).account, (d.log).phone, (d.log).payer_name AS "payerName",
       (extract(epoch FROM (d.log).paid_at) * 1000)::bigint::text AS paid_at_ms,
       (extract(epoch FROM (d.log).created_at) * 1000)::bigint::text AS created_at_ms
  FROM lanes.deposits_before(
    $1::timestamp, $2::timestamp, $3::timestamp, $4::uuid, $5::text, $6::integer, ${String(isUnposted)}
  ) d
 ORDER BY (d.log).created_at DESC, (d.log).id DESC`;

/** For the test that looks at their plans. */
export const LIST_STATEMENTS: Readonly<Record<'posted' | 'unposted', Statement>> = {
  posted: { name: 'deposit_list', text: listText(''), overNodes: listOverNodes(false) },
  unposted: {
    name: 'deposit_list_unposted',
    text: listText(`\n       AND (l.outcome IS NULL OR l.outcome = 'HELD')`),
    overNodes: listOverNodes(true),
  },
};
