import type { Handle } from './db.ts';
import { DaftariError } from './errors.ts';
import type { TransactionType } from './posted.ts';
import { query } from './statement.ts';
import type { Statement } from './statement.ts';

/** One line of a wallet's statement. Amounts are decimal strings with two decimals. */
export interface StatementLine {
  readonly reference: string;
  readonly type: TransactionType;
  readonly direction: 'debit' | 'credit';
  /** The other wallet's number. */
  readonly counterparty: string;
  readonly amount: string;
  readonly balanceAfter: string;
  readonly createdAt: Date;
  readonly narrative: string | null;
}

export interface WalletStatement {
  readonly wallet: string;
  readonly currency: string;
  /** Before the first posting of the period. */
  readonly openingBalance: string;
  /** After the last posting of the period. */
  readonly closingBalance: string;
  /** Oldest first. */
  readonly lines: readonly StatementLine[];
  /** For the next page; null on the last one. */
  readonly nextCursor: string | null;
}

export interface StatementRequest {
  readonly wallet: string;
  /** From this moment on; from the beginning unless said. */
  readonly from?: Date;
  /** Until just before this moment; until now unless said. */
  readonly to?: Date;
  /** Lines a page, 1 to 500; 50 unless said. */
  readonly limit?: number;
  readonly cursor?: string;
}

/**
 * The postings of a wallet in a period, page by page, in their order in the wallet. A page does not shift when new
 * postings arrive: the cursor is the version of the wallet.
 *
 * @throws DaftariError `unknown_wallet`, or `invalid_request` for a cursor that is none
 */
export async function walletStatement(db: Handle, request: StatementRequest): Promise<WalletStatement> {
  if (request.cursor !== undefined && !/^\d{1,18}$/.test(request.cursor)) {
    throw new DaftariError('invalid_request', { field: 'cursor' });
  }
  const limit = Math.min(Math.max(request.limit ?? 50, 1), 500);
  const period = [request.wallet, isoOf(request.from), isoOf(request.to)];
  const [frame] = await query<FrameRow>(db, FRAME, period);
  if (frame === undefined) throw new DaftariError('unknown_wallet');
  const rows = await query<LineRow>(db, LINES, [...period, request.cursor ?? '0', limit + 1]);
  const lines = rows.slice(0, limit);
  return {
    wallet: request.wallet,
    currency: frame.currency,
    openingBalance: frame.opening,
    closingBalance: frame.closing,
    lines: lines.map(lineOf),
    nextCursor: rows.length > limit ? (lines.at(-1)?.version ?? null) : null,
  };
}

/** The balance of a wallet at a moment. @throws DaftariError `unknown_wallet` */
export async function balanceAt(
  db: Handle,
  request: { readonly wallet: string; readonly at: Date },
): Promise<string> {
  // A statement's opening balance leaves out what happened at its very first moment; a millisecond later it is in.
  const after = new Date(request.at.getTime() + 1);
  const [frame] = await query<FrameRow>(db, FRAME, [request.wallet, isoOf(after), null]);
  if (frame === undefined) throw new DaftariError('unknown_wallet');
  return frame.opening;
}

function isoOf(time: Date | undefined): string | null {
  return time?.toISOString().slice(0, -1) ?? null;
}

function lineOf(row: LineRow): StatementLine {
  return {
    reference: row.reference,
    type: row.type,
    direction: row.direction,
    counterparty: row.counterparty,
    amount: row.amount,
    balanceAfter: row.balance_after,
    createdAt: new Date(Number(row.created_at_ms)),
    narrative: row.narrative,
  };
}

interface FrameRow {
  readonly currency: string;
  readonly opening: string;
  readonly closing: string;
}

interface LineRow {
  readonly reference: string;
  readonly type: TransactionType;
  readonly direction: 'debit' | 'credit';
  readonly counterparty: string;
  readonly amount: string;
  readonly balance_after: string;
  readonly version: string;
  readonly created_at_ms: string;
  readonly narrative: string | null;
}

const POSTINGS = `
    SELECT debit_version AS version, debit_balance_after AS balance_after, created_at, reference, type,
           'debit' AS direction, credit_wallet_id AS counterparty, amount, narrative
      FROM core.transactions WHERE debit_wallet_id = $1
    UNION ALL
    SELECT credit_version, credit_balance_after, created_at, reference, type,
           'credit', debit_wallet_id, amount, narrative
      FROM core.transactions WHERE credit_wallet_id = $1`;

// Both look-ups walk back from the newest posting through the index on (wallet, version).
const FRAME: Statement = {
  name: 'statement_frame',
  text: `
WITH postings AS NOT MATERIALIZED (${POSTINGS})
SELECT w.currency::text AS currency,
       CASE WHEN $2::timestamp IS NULL THEN '0.00' ELSE coalesce((
           SELECT p.balance_after FROM postings p WHERE p.created_at < $2::timestamp ORDER BY p.version DESC LIMIT 1
       ), 0)::numeric(19,2)::text END AS opening,
       coalesce((
           SELECT p.balance_after FROM postings p
            WHERE $3::timestamp IS NULL OR p.created_at < $3::timestamp ORDER BY p.version DESC LIMIT 1
       ), 0)::numeric(19,2)::text AS closing
  FROM core.wallets w
 WHERE w.id = $1 AND w.kind = 'CUSTOMER'`,
};

const LINES: Statement = {
  name: 'statement_lines',
  text: `
WITH postings AS NOT MATERIALIZED (${POSTINGS})
SELECT version::text AS version, balance_after::text AS balance_after, reference, type, direction, counterparty,
       amount::text AS amount, narrative, (extract(epoch FROM created_at) * 1000)::bigint::text AS created_at_ms
  FROM postings p
 WHERE p.version > $4::bigint
   AND ($2::timestamp IS NULL OR p.created_at >= $2::timestamp)
   AND ($3::timestamp IS NULL OR p.created_at < $3::timestamp)
 ORDER BY p.version
 LIMIT $5::integer`,
};
