import type { Handle, Statement } from '../connection/handle.ts';
import { query } from '../connection/handle.ts';
import { reportedBalance } from '../deposits/reported-balance.ts';
import type { ReconciliationState } from './reconciliation.ts';

/** The period of a short code, as the database takes it. */
export interface Frame {
  readonly shortCode: string;
  /** TIMESTAMP literals in UTC; `to` is excluded. */
  readonly from: string;
  readonly to: string;
}

/** A state with its sums, or one item that is open. */
export interface ItemRow {
  readonly state: ReconciliationState;
  readonly lines: number;
  readonly amount: string;
  readonly difference: string;
  readonly paid_in: string;
  readonly withdrawn: string;
  readonly ledger_net: string;
  /** Null on the row of a state. */
  readonly side: 'statement' | 'ledger' | null;
  readonly reference: string | null;
  readonly kind: string | null;
  readonly ledger_amount: string | null;
  readonly at_ms: string | null;
  readonly reason: string | null;
  /** The payer's number, whole or masked. It decides a suggestion and goes no further. */
  readonly payer: string | null;
}

export interface InputRow {
  readonly sha256: string;
  readonly form: string;
  readonly account: string | null;
  readonly from_ms: string | null;
  readonly to_ms: string | null;
  readonly opening: string | null;
  readonly closing: string | null;
  readonly paid_in: string;
  readonly withdrawn: string;
  readonly difference: string | null;
  readonly stated_paid_in: string | null;
  readonly stated_withdrawn: string | null;
  readonly balance_breaks: number;
  readonly first_break: number | null;
}

export interface BalanceRow {
  readonly float: string;
  readonly own_float: string;
  readonly opening: string | null;
  readonly paid_in: string;
  readonly withdrawn: string;
  readonly closing: string | null;
  readonly difference: string | null;
  readonly breaks: number;
  readonly unknown: number;
  readonly float_difference: string | null;
  readonly compared: number;
  readonly different: number;
  readonly callback_difference: string;
}

/** A movement that came too late for the period in which it happened. */
export interface LateRow {
  readonly reference: string;
  readonly amount: string;
  readonly period: string;
}

/** A closed period that a frame touches, with the report with which it was closed. */
export interface ClosedRow {
  readonly id: string;
  readonly report: string;
  readonly is_same: boolean;
}

export async function readItems(db: Handle, { shortCode, from, to }: Frame): Promise<ItemRow[]> {
  return query<ItemRow>(db, ITEMS, [shortCode, from, to]);
}

export async function readInputs(db: Handle, { shortCode, from, to }: Frame): Promise<InputRow[]> {
  return query<InputRow>(db, INPUTS, [shortCode, from, to]);
}

export async function readBalances(db: Handle, { shortCode, from, to }: Frame): Promise<BalanceRow[]> {
  return query<BalanceRow>(db, BALANCES, [shortCode, from, to]);
}

export async function readLate(db: Handle, { shortCode, from, to }: Frame): Promise<LateRow[]> {
  return query<LateRow>(db, LATE, [shortCode, from, to]);
}

export async function readClosed(db: Handle, { shortCode, from, to }: Frame): Promise<ClosedRow[]> {
  return query<ClosedRow>(db, CLOSED, [shortCode, from, to]);
}

// Times and receipts decide the order, and for equal ones the identity of the line, which is the same in every database.
const itemsText = ({ payer, payers }: { readonly payer: string; readonly payers: string }): string => `
WITH items AS MATERIALIZED (
    SELECT l.state, l.reason, l.is_open, 'statement' AS side, l.receipt AS reference, l.kind, l.amount, l.ledger_amount,
           l.statement_net, l.ledger_net, l.happened_at, l.line_id::text AS place
      FROM services.mpesa_line_states(p_short_code => $1::text, p_from => $2::timestamp, p_to => $3::timestamp) l
    UNION ALL
    SELECT m.state, m.reason, m.is_open, 'ledger', m.reference, 'movement', m.amount, m.amount,
           0, m.ledger_net, m.happened_at, ''
      FROM services.mpesa_movement_states(p_short_code => $1::text, p_from => $2::timestamp, p_to => $3::timestamp) m
), answer AS (
    SELECT 0 AS part, i.state, count(*)::int AS lines, sum(i.amount) AS amount, sum(i.statement_net - i.ledger_net) AS difference,
           sum(greatest(i.statement_net, 0)) AS paid_in, -sum(least(i.statement_net, 0)) AS withdrawn,
           sum(i.ledger_net) AS ledger_net,
           NULL AS side, NULL AS reference, NULL AS kind, NULL::numeric AS ledger_amount, NULL::timestamp AS happened_at,
           NULL AS reason, NULL AS place, NULL AS payer
      FROM items i
     GROUP BY i.state
    UNION ALL
    SELECT 1, i.state, 1, i.amount, 0, 0, 0, 0, i.side, i.reference, i.kind, i.ledger_amount, i.happened_at, i.reason, i.place,
           ${payer}
      FROM items i${payers}
     WHERE i.is_open
)
SELECT a.state, a.lines, a.amount::numeric(19,2)::text AS amount, a.difference::numeric(19,2)::text AS difference,
       a.paid_in::numeric(19,2)::text AS paid_in, a.withdrawn::numeric(19,2)::text AS withdrawn,
       a.ledger_net::numeric(19,2)::text AS ledger_net, a.side, a.reference, a.kind, a.ledger_amount::text AS ledger_amount,
       (extract(epoch FROM a.happened_at) * 1000)::bigint::text AS at_ms, a.reason, a.payer
  FROM answer a
 ORDER BY a.part, a.happened_at, a.reference COLLATE "C", a.side COLLATE "C", a.amount, a.place COLLATE "C"`;

const ITEMS: Statement = {
  name: 'mpesa_reconciliation_items',
  text: itemsText({
    payer: `CASE i.side
               WHEN 'statement' THEN (SELECT s.phone FROM services.mpesa_statement_lines s WHERE s.id = i.place::uuid)
               ELSE (SELECT g.phone FROM services.mpesa_logs g WHERE g.mpesa_receipt = i.reference)
           END`,
    payers: '',
  }),
  overNodes: itemsText({
    payer: `CASE i.side WHEN 'statement' THEN s.phone ELSE g.phone END`,
    payers: `
      LEFT JOIN lanes.lines_of(ARRAY(SELECT x.place::uuid FROM items x WHERE x.is_open AND x.side = 'statement')) s
        ON i.side = 'statement' AND s.id::text = i.place
      LEFT JOIN lanes.logged_of(ARRAY(SELECT x.reference FROM items x WHERE x.is_open AND x.side = 'ledger')) g
        ON i.side = 'ledger' AND g.mpesa_receipt = i.reference`,
  }),
};

const INPUTS: Statement = {
  name: 'mpesa_reconciliation_inputs',
  text: `
SELECT s.sha256, s.form::text AS form, s.account, s.balance_breaks, s.first_break,
       (extract(epoch FROM s.from_at) * 1000)::bigint::text AS from_ms,
       (extract(epoch FROM s.to_at) * 1000)::bigint::text AS to_ms,
       coalesce(s.opening, s.first_balance)::text AS opening, coalesce(s.closing, s.last_balance)::text AS closing,
       s.paid_in::text AS paid_in, s.withdrawn::text AS withdrawn,
       (coalesce(s.opening, s.first_balance) + s.paid_in - s.withdrawn - coalesce(s.closing, s.last_balance))::text AS difference,
       s.stated_paid_in::text AS stated_paid_in, s.stated_withdrawn::text AS stated_withdrawn
  FROM services.mpesa_statements s
 WHERE s.short_code = $1::text AND s.from_at < $3::timestamp AND s.to_at >= $2::timestamp
 ORDER BY s.sha256 COLLATE "C"`,
};

// The float now, without what happened since; see services.mpesa_float for when a movement counts. M-PESA's balance of a
// callback is that after the payment and before its charge, as the balance of the line is.
const balancesText = ({ sources, moved, held, compared }: BalanceWords): string => `
${sources}SELECT (
           coalesce((
               ${moved}
           ), 0) - (${held})
       )::numeric(19,2)::text AS float,
       services.mpesa_float(p_short_code => $1::text, p_at => $3::timestamp)::text AS own_float,
       b.opening::text AS opening, b.paid_in::text AS paid_in, b.withdrawn::text AS withdrawn, b.closing::text AS closing,
       (b.opening + b.paid_in - b.withdrawn - b.closing)::text AS difference, b.breaks, b.unknown,
       (b.closing - services.mpesa_float(p_short_code => $1::text, p_at => $3::timestamp))::text AS float_difference,
       c.compared, c.different, c.callback_difference::text AS callback_difference
  FROM services.mpesa_period_balance(p_short_code => $1::text, p_from => $2::timestamp, p_to => $3::timestamp) b
 CROSS JOIN (
    SELECT count(*)::int AS compared, (count(*) FILTER (WHERE l.balance <> p.balance::numeric))::int AS different,
           coalesce(sum(l.balance - p.balance::numeric), 0)::numeric(19,2) AS callback_difference
      FROM ${compared}
       AND l.kind = 'payment' AND l.is_completed AND l.account_key = '' AND l.balance IS NOT NULL
       AND p.balance IS NOT NULL
  ) c`;

/** What the statement says in another way where the tables lie on several servers. */
interface BalanceWords {
  readonly sources: string;
  /** What moved the float since. */
  readonly moved: string;
  readonly held: string;
  /** Lines `l`, and `p`, which has the balance that was reported, up to a condition. */
  readonly compared: string;
}

const FIRST_ID = `(lpad(to_hex((extract(epoch FROM $3::timestamp - interval '1 day') * 1000)::bigint), 12, '0')
                               || repeat('0', 20))::uuid`;

const BALANCES: Statement = {
  name: 'mpesa_reconciliation_position',
  text: balancesText({
    sources: '',
    moved: `SELECT sum(CASE WHEN core.account_of(t.debit_wallet_id) = 'MPESA-FLOAT' THEN -t.amount ELSE t.amount END)
                 FROM core.transactions t
                 LEFT JOIN services.mpesa_matches m ON m.transaction_id = t.id
                 LEFT JOIN services.mpesa_statement_lines s ON s.id = m.line_id
                 LEFT JOIN services.mpesa_logs g ON g.mpesa_receipt = t.reference
                WHERE t.id >= ${FIRST_ID}
                  AND 'MPESA-FLOAT' IN (core.account_of(t.debit_wallet_id), core.account_of(t.credit_wallet_id))
                  AND coalesce(s.completed_at, g.paid_at, t.created_at) >= $3::timestamp`,
    held: `SELECT sum(w.balance) FROM core.wallets w WHERE w.kind = 'SYSTEM' AND core.account_of(w.id) = 'MPESA-FLOAT'`,
    compared: `services.mpesa_statement_lines l
      JOIN services.mpesa_logs g ON g.mpesa_receipt = l.receipt AND g.short_code = l.short_code
     CROSS JOIN LATERAL (SELECT ${reportedBalance('g')} AS balance) p
     WHERE l.short_code = $1::text AND l.completed_at >= $2::timestamp AND l.completed_at < $3::timestamp`,
  }),
  overNodes: balancesText({
    sources: `WITH moved AS MATERIALIZED (
    SELECT t.* FROM lanes.float_moved(${FIRST_ID}) t
), lines AS MATERIALIZED (
    SELECT l.* FROM lanes.statement_lines($1::text, $2::timestamp, $3::timestamp) l
)
`,
    moved: `SELECT sum(t.amount)
                 FROM moved t
                 LEFT JOIN lanes.matched_lines(ARRAY(SELECT x.id FROM moved x)) s ON s.transaction_id = t.id
                WHERE coalesce(s.completed_at, t.at) >= $3::timestamp`,
    held: `SELECT lanes.account_balance('MPESA-FLOAT')`,
    compared: `lines l
      JOIN lanes.reported_balances(ARRAY(SELECT x.receipt FROM lines x WHERE x.kind = 'payment')) p
        ON p.receipt = l.receipt AND p.short_code = l.short_code
     WHERE true`,
  }),
};

const LATE: Statement = {
  name: 'mpesa_reconciliation_late',
  text: `
SELECT m.reference, m.amount::text AS amount, m.closed_period::text AS period
  FROM services.mpesa_movement_states(p_short_code => $1::text, p_from => $2::timestamp, p_to => $3::timestamp) m
 WHERE m.closed_period IS NOT NULL
 ORDER BY m.happened_at, m.reference COLLATE "C"`,
};

const CLOSED: Statement = {
  name: 'mpesa_period_of_frame',
  text: `
SELECT p.id::text AS id, r.report,
       p.from_at = $2::timestamp AND p.to_at = $3::timestamp AS is_same
  FROM services.mpesa_periods p
  JOIN services.mpesa_reconciliations r ON r.id = p.report_id
 WHERE p.short_code = $1::text AND p.status = 'CLOSED' AND p.from_at < $3::timestamp AND p.to_at > $2::timestamp
 ORDER BY p.from_at`,
};
