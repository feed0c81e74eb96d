import type { Handle, Statement } from '../connection/handle.ts';
import { DaftariError } from '../errors.ts';
import type { TransactionType } from '../ledger/posted.ts';
import { requireTime } from '../request.ts';
import { query } from '../connection/handle.ts';

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
  /** From this moment on. Default: from the beginning. */
  readonly from?: Date;
  /** Until just before this moment. Default: until now. */
  readonly to?: Date;
  /** Lines a page, 1 to 500. Default: 50. */
  readonly limit?: number;
  readonly cursor?: string;
}

/**
 * The postings of a wallet in a period, page by page, in their order in the wallet. A page does not shift when new
 * postings arrive: the cursor is the version of the wallet.
 *
 * @throws DaftariError `unknown_wallet`, or `invalid_request` for an invalid cursor
 */
export async function walletStatement(db: Handle, request: StatementRequest): Promise<WalletStatement> {
  if (request.cursor !== undefined && !/^\d{1,18}$/.test(request.cursor)) {
    throw new DaftariError('invalid_request', { field: 'cursor' });
  }
  const asked = request.limit ?? 50;
  if (!Number.isInteger(asked)) throw new DaftariError('invalid_request', { field: 'limit' });
  const limit = Math.min(Math.max(asked, 1), 500);
  const frame = await readFrame(db, FRAME, [
    request.wallet,
    request.from === undefined ? null : requireTime('from', request.from),
    request.to === undefined ? null : requireTime('to', request.to),
  ]);
  // The lines lie between the same two postings as the balances, whatever has arrived in between.
  const after = BigInt(request.cursor ?? 0) > BigInt(frame.first) ? (request.cursor ?? '') : frame.first;
  const rows = await query<LineRow>(db, LINES, [request.wallet, after, frame.last, limit + 1]);
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
  const frame = await readFrame(db, BALANCE_AT, [request.wallet, null, requireTime('at', request.at)]);
  return frame.closing;
}

async function readFrame(
  db: Handle,
  statement: Statement,
  values: readonly [wallet: string, from: string | null, to: string | null],
): Promise<FrameRow> {
  const [wallet] = values;
  const isText = wallet.isWellFormed() && !wallet.includes('\0');
  const [frame] = isText ? await query<FrameRow>(db, statement, values) : [];
  if (frame === undefined) throw new DaftariError('unknown_wallet');
  return frame;
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
  /** The wallet's versions before and after the period. */
  readonly first: string;
  readonly last: string;
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

const postingAt = (column: string, version: string) => `coalesce(
           (SELECT ${column} FROM core.transactions WHERE debit_wallet_id = $1 AND debit_version = ${version}),
           (SELECT ${column.replace('debit', 'credit')} FROM core.transactions
             WHERE credit_wallet_id = $1 AND credit_version = ${version})
       )`;

// How many postings of the wallet came before a moment. Time never falls while the version grows (the door sees to it,
// whatever the clock says), so halving finds it in a few steps, each a look into an index; walking there would read
// every posting since. Where times from before this ledger fall, the statement is cut at one of the places that fit,
// and its balances and lines still agree.
const versionBefore = (isBefore: string) => `(
        WITH RECURSIVE search (low, high) AS (
            SELECT 0::bigint, w.version
            UNION ALL
            SELECT CASE WHEN m.is_before THEN m.middle ELSE m.low END,
                   CASE WHEN m.is_before THEN m.high ELSE m.middle - 1 END
              FROM (
                SELECT s.low, s.high, s.middle, ${postingAt('created_at', 's.middle')} ${isBefore} AS is_before
                  FROM (SELECT low, high, (low + high + 1) / 2 AS middle FROM search WHERE low < high) s
                -- Keeps the planner from looking it up again for each time that it is named.
                OFFSET 0
              ) m
        )
        SELECT low FROM search WHERE low = high
    )`;

const frameUntil = (isBeforeEnd: string) => `
WITH w AS MATERIALIZED (
    SELECT currency, version FROM core.wallets WHERE id = $1::varchar AND kind = 'CUSTOMER'
), o AS MATERIALIZED (
    SELECT CASE WHEN $2::timestamp IS NULL THEN 0 ELSE ${versionBefore('< $2::timestamp')} END AS version FROM w
), e AS MATERIALIZED (
    SELECT greatest(
               o.version, CASE WHEN $3::timestamp IS NULL THEN w.version ELSE ${versionBefore(isBeforeEnd)} END
           ) AS version
      FROM w, o
)
SELECT w.currency::text AS currency, o.version::text AS first, e.version::text AS last,
       coalesce(${postingAt('debit_balance_after', 'o.version')}, 0)::numeric(19,2)::text AS opening,
       coalesce(${postingAt('debit_balance_after', 'e.version')}, 0)::numeric(19,2)::text AS closing
  FROM w, o, e`;

const frameOverNodes = (isInclusive: boolean) => `
SELECT f.currency, f.first::text AS first, f.last::text AS last, f.opening::numeric(19,2)::text AS opening,
       f.closing::numeric(19,2)::text AS closing
  FROM lanes.statement_frame($1::text, $2::timestamp, $3::timestamp, ${String(isInclusive)}) f`;

const FRAME: Statement = {
  name: 'statement_frame',
  text: frameUntil('< $3::timestamp'),
  overNodes: frameOverNodes(false),
};

// The balance at a moment has in it what happened at this very moment.
const BALANCE_AT: Statement = {
  name: 'balance_at',
  text: frameUntil('<= $3::timestamp'),
  overNodes: frameOverNodes(true),
};

// Each side is cut to a page of its own before the two are put together.
const LINES: Statement = {
  name: 'statement_lines',
  text: `
SELECT p.version::text AS version, p.balance_after::text AS balance_after, p.reference, p.type, p.direction,
       core.account_of(p.counterparty) AS counterparty, p.amount::text AS amount, p.narrative,
       (extract(epoch FROM p.created_at) * 1000)::bigint::text AS created_at_ms
  FROM (
    (SELECT debit_version AS version, debit_balance_after AS balance_after, created_at, reference, type,
            'debit' AS direction, credit_wallet_id AS counterparty, amount, narrative
       FROM core.transactions
      WHERE debit_wallet_id = $1 AND debit_version > $2::bigint AND debit_version <= $3::bigint
      ORDER BY debit_version LIMIT $4::integer)
    UNION ALL
    (SELECT credit_version, credit_balance_after, created_at, reference, type,
            'credit', debit_wallet_id, amount, narrative
       FROM core.transactions
      WHERE credit_wallet_id = $1 AND credit_version > $2::bigint AND credit_version <= $3::bigint
      ORDER BY credit_version LIMIT $4::integer)
  ) p
 ORDER BY p.version
 LIMIT $4::integer`,
  overNodes: `
SELECT p.version::text AS version,
       CASE WHEN p.is_debit THEN t.debit_balance_after ELSE t.credit_balance_after END::text AS balance_after,
       t.reference, t.type, CASE WHEN p.is_debit THEN 'debit' ELSE 'credit' END AS direction,
       core.account_of(CASE WHEN p.is_debit THEN t.credit_wallet_id ELSE t.debit_wallet_id END) AS counterparty,
       t.amount::text AS amount, t.narrative, (extract(epoch FROM t.created_at) * 1000)::bigint::text AS created_at_ms
  FROM lanes.legs_of($1::text, $2::bigint, $3::bigint, $4::integer) p
 CROSS JOIN LATERAL (SELECT (p.transaction).*) t
 ORDER BY p.version
 LIMIT $4::integer`,
};
