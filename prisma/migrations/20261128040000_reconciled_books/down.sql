-- Before: accounts of the bank, of charges and of receivables; closed periods, and breaks with their events.
-- After:  none of them. An account that money was posted to stays with its postings: its money is where it is.

-- DropForeignKey
ALTER TABLE "services"."mpesa_break_events" DROP CONSTRAINT "mpesa_break_events_break_id_fkey";

-- DropTable
DROP TABLE services.mpesa_break_events;
DROP TABLE services.mpesa_breaks;
DROP TABLE services.mpesa_periods;

DO $$
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    ALTER TABLE core.wallets DISABLE TRIGGER USER;
    DELETE FROM core.wallets w WHERE w.id IN ('BANK', 'CHARGES', 'RECEIVABLES') AND w.kind = 'SYSTEM' AND w.version = 0;
    ALTER TABLE core.wallets ENABLE TRIGGER USER;
    PERFORM set_config('daftari.door', '', true);
END
$$;

-- ==== functions: written by db:migration, edit prisma/functions instead ====

DROP FUNCTION services.mpesa_movement_states(p_short_code text, p_from timestamp without time zone, p_to timestamp without time zone);

CREATE OR REPLACE FUNCTION services.add_mpesa_statement_lines(p_statement uuid, p_account_key text, p_rows integer[], p_receipts text[], p_completed_at timestamp without time zone[], p_details text[], p_statuses text[], p_is_completed boolean[], p_kinds text[], p_paid_in numeric[], p_withdrawn numeric[], p_balances numeric[], p_reasons text[], p_accounts text[], p_phones text[], p_names text[], p_linked_receipts text[], OUT added integer)
 RETURNS integer
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    WITH written AS (
        INSERT INTO services.mpesa_statement_lines AS l (
            id, statement_id, form, row_number, short_code, account_key, receipt, completed_at, details, status,
            is_completed, kind, paid_in, withdrawn, balance, reason, account, phone, payer_name, linked_receipt
        )
        SELECT DISTINCT ON (x.id)
               x.id, s.id, s.form, x.row_number, s.short_code, p_account_key, x.receipt, x.completed_at, x.details, x.status,
               x.is_completed, x.kind, x.paid_in, x.withdrawn, x.balance, x.reason, x.account, x.phone, x.payer_name,
               x.linked_receipt
          FROM services.mpesa_statements s
         CROSS JOIN LATERAL (
            SELECT t.*, services.statement_line_id(
                       p_short_code => s.short_code, p_account_key => p_account_key, p_receipt => t.receipt,
                       p_is_completed => t.is_completed, p_paid_in => t.paid_in, p_withdrawn => t.withdrawn,
                       p_balance => t.balance, p_details => t.details
                   ) AS id
              FROM unnest(
                p_rows, p_receipts, p_completed_at, p_details, p_statuses, p_is_completed, p_kinds, p_paid_in, p_withdrawn,
                p_balances, p_reasons, p_accounts, p_phones, p_names, p_linked_receipts
              ) AS t (
                row_number, receipt, completed_at, details, status, is_completed, kind, paid_in, withdrawn,
                balance, reason, account, phone, payer_name, linked_receipt
              )
         ) x
         WHERE s.id = p_statement
         ORDER BY x.id, x.row_number
        ON CONFLICT (id) DO UPDATE
           SET statement_id = EXCLUDED.statement_id, form = EXCLUDED.form, row_number = EXCLUDED.row_number,
               completed_at = EXCLUDED.completed_at, details = EXCLUDED.details, status = EXCLUDED.status,
               kind = EXCLUDED.kind, reason = EXCLUDED.reason, account = EXCLUDED.account, phone = EXCLUDED.phone,
               payer_name = EXCLUDED.payer_name, linked_receipt = EXCLUDED.linked_receipt
         WHERE (EXCLUDED.form COLLATE "C", EXCLUDED.statement_id, EXCLUDED.row_number)
               < (l.form COLLATE "C", l.statement_id, l.row_number)
        RETURNING l.xmax = 0 AS is_new
    )
    SELECT count(*) FILTER (WHERE w.is_new) INTO added FROM written w;
    PERFORM set_config('daftari.door', '', true);
END
$function$;

CREATE OR REPLACE FUNCTION services.mpesa_line_states(p_short_code text, p_from timestamp without time zone, p_to timestamp without time zone)
 RETURNS TABLE(line_id uuid, state text, reason text, is_open boolean, kind text, receipt text, amount numeric, ledger_amount numeric, statement_net numeric, ledger_net numeric, happened_at timestamp without time zone)
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    WITH lines AS (
        SELECT l.*, row_number() OVER (
                   PARTITION BY l.receipt, l.kind, l.is_completed, l.account_key ORDER BY l.id
               ) AS place
          FROM services.mpesa_statement_lines l
         WHERE l.short_code = p_short_code AND l.completed_at >= p_from AND l.completed_at < p_to
    ), seen AS (
        SELECT l.*, m.transaction_id AS explained, t.id AS deposit, other.line_id AS rival,
               g.id AS logged, g.outcome AS log_outcome, g.short_code AS log_short_code,
               CASE WHEN t.id IS NOT NULL THEN services.deposit_amount(p_receipt => l.receipt, p_amount => t.amount) END AS due,
               EXISTS (
                   SELECT FROM services.mpesa_statement_lines r
                    WHERE l.kind = 'payment' AND r.short_code = l.short_code AND r.kind = 'reversal' AND r.is_completed
                      AND r.linked_receipt = l.receipt AND r.withdrawn = l.paid_in
               ) AS is_taken_back,
               EXISTS (
                   SELECT FROM core.transactions o WHERE l.kind = 'reversal' AND o.reference = l.linked_receipt
               ) AS original_is_here
          FROM lines l
          LEFT JOIN services.mpesa_matches m ON m.line_id = l.id
          LEFT JOIN core.transactions t
            ON t.reference = l.receipt AND t.type = 'DEPOSIT' AND l.kind = 'payment' AND l.is_completed
          LEFT JOIN services.mpesa_matches other ON other.transaction_id = t.id AND other.line_id <> l.id
          LEFT JOIN services.mpesa_logs g ON g.mpesa_receipt = l.receipt AND l.kind = 'payment' AND l.is_completed
    ), judged AS (
        SELECT s.*,
               CASE
                   WHEN NOT s.is_completed THEN 'not_completed'
                   WHEN s.kind IN ('charge', 'sweep') THEN s.kind
                   WHEN s.kind = 'reversal' THEN 'reversed'
                   WHEN s.kind <> 'payment' OR s.account_key <> '' THEN 'unexplained'
                   WHEN s.deposit IS NULL AND s.is_taken_back THEN 'reversed'
                   WHEN s.deposit IS NULL THEN 'missing_here'
                   WHEN s.log_short_code IS DISTINCT FROM s.short_code THEN 'unexplained'
                   WHEN s.rival IS NOT NULL OR (s.explained IS NULL AND s.place > 1) THEN 'unexplained'
                   WHEN s.due = s.paid_in THEN 'matched'
                   ELSE 'amount_differs'
               END AS state
          FROM seen s
    ), explained AS (
        SELECT j.*,
               CASE
                   WHEN j.state = 'missing_here' AND j.receipt !~ '^[A-Z0-9]{6,20}$' THEN 'receipt_not_usable'
                   WHEN j.state = 'missing_here' AND j.log_outcome = 'HELD' THEN 'held'
                   WHEN j.state = 'missing_here' AND j.logged IS NOT NULL THEN 'logged_without_posting'
                   WHEN j.state = 'missing_here' AND j.place > 1 THEN 'repeated_receipt'
                   WHEN j.kind = 'reversal' AND j.state = 'reversed' AND j.explained IS NULL THEN CASE
                       WHEN j.linked_receipt IS NULL THEN 'original_unknown'
                       WHEN j.original_is_here OR j.paid_in > 0 THEN 'not_posted_here'
                   END
                   WHEN j.state <> 'unexplained' THEN NULL
                   WHEN j.kind <> 'payment' THEN j.kind
                   WHEN j.account_key <> '' THEN 'other_account'
                   WHEN j.log_short_code IS DISTINCT FROM j.short_code THEN 'other_short_code'
                   ELSE 'repeated_receipt'
               END AS why
          FROM judged j
    )
    SELECT e.id, e.state, e.why,
           e.state IN ('missing_here', 'amount_differs', 'unexplained')
               OR (e.state = 'reversed' AND coalesce(e.why IN ('original_unknown', 'not_posted_here'), false)),
           e.kind::text, e.receipt::text, e.paid_in + e.withdrawn, e.due,
           CASE WHEN e.is_completed AND e.account_key = '' THEN e.paid_in - e.withdrawn ELSE 0 END,
           CASE
               WHEN e.state IN ('matched', 'amount_differs') THEN e.due
               WHEN e.kind = 'reversal' AND e.explained IS NOT NULL THEN -e.withdrawn
               ELSE 0
           END,
           e.completed_at::timestamp
      FROM explained e
$function$;

CREATE OR REPLACE FUNCTION services.mpesa_movement_states(p_short_code text, p_from timestamp without time zone, p_to timestamp without time zone)
 RETURNS TABLE(transaction_id uuid, state text, reason text, is_open boolean, reference text, amount numeric, ledger_net numeric, happened_at timestamp without time zone)
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    WITH movements AS (
        SELECT t.id, t.reference, t.type, t.id AS original, t.reference AS receipt,
               services.deposit_amount(p_receipt => t.reference, p_amount => t.amount) AS amount,
               services.deposit_amount(p_receipt => t.reference, p_amount => t.amount) AS original_amount,
               1 AS sign, coalesce(g.paid_at, g.created_at) AS happened_at
          FROM services.mpesa_logs g
          JOIN core.transactions t ON t.reference = g.mpesa_receipt AND t.type = 'DEPOSIT'
         -- Nobody reports a payment long before it was made, so the index of the log says where to begin.
         WHERE g.short_code = p_short_code AND g.created_at >= p_from - interval '1 day'
           AND coalesce(g.paid_at, g.created_at) >= p_from AND coalesce(g.paid_at, g.created_at) < p_to
        UNION ALL
        SELECT t.id, t.reference, t.type, coalesce(o.id, t.id), o.reference, t.amount,
               CASE
                   WHEN o.type = 'DEPOSIT' THEN services.deposit_amount(p_receipt => o.reference, p_amount => o.amount)
                   ELSE coalesce(o.amount, t.amount)
               END,
               CASE WHEN core.account_of(t.credit_wallet_id) = 'MPESA-FLOAT' THEN -1 ELSE 1 END, t.created_at
          FROM core.transactions t
          LEFT JOIN core.transactions o ON o.id = t.reverses_id
          LEFT JOIN services.mpesa_logs g ON g.mpesa_receipt = o.reference
         -- The ids sort by time; see core.uuid_v7.
         WHERE t.id >= (lpad(to_hex((extract(epoch FROM p_from) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
           AND t.id < (lpad(to_hex((extract(epoch FROM p_to) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
           AND t.type <> 'DEPOSIT' AND t.reference NOT LIKE 'CR-%'
           AND 'MPESA-FLOAT' IN (core.account_of(t.debit_wallet_id), core.account_of(t.credit_wallet_id))
           AND (o.type IS DISTINCT FROM 'DEPOSIT' OR g.short_code = p_short_code)
    ), seen AS (
        SELECT m.*, x.line_id AS explained, l.completed_at, l.paid_in,
               coalesce((
                   SELECT sum(r.amount)
                     FROM core.transactions r
                    WHERE r.reverses_id = m.original AND r.reference NOT LIKE 'CR-%'
               ), 0) = m.original_amount AND NOT EXISTS (
                   SELECT FROM services.mpesa_statement_lines p
                    WHERE p.receipt = m.receipt AND p.short_code = p_short_code AND p.kind = 'payment' AND p.is_completed
               ) AS is_undone
          FROM movements m
          LEFT JOIN services.mpesa_matches x ON x.transaction_id = m.id
          LEFT JOIN LATERAL (
            SELECT p.completed_at, p.paid_in
              FROM services.mpesa_statement_lines p
             WHERE CASE
                       WHEN x.line_id IS NOT NULL THEN p.id = x.line_id
                       ELSE m.type = 'DEPOSIT' AND p.receipt = m.receipt AND p.short_code = p_short_code
                            AND p.kind = 'payment' AND p.is_completed AND p.account_key = ''
                   END
             ORDER BY p.id
             LIMIT 1
          ) l ON true
    ), judged AS (
        SELECT s.*,
               CASE
                   WHEN s.completed_at IS NOT NULL AND s.type <> 'DEPOSIT' THEN 'reversed'
                   WHEN s.completed_at IS NOT NULL AND s.paid_in = s.amount THEN 'matched'
                   WHEN s.completed_at IS NOT NULL THEN 'amount_differs'
                   WHEN s.is_undone THEN 'reversed'
                   ELSE 'missing_there'
               END AS state
          FROM seen s
         WHERE s.completed_at IS NULL OR s.completed_at < p_from OR s.completed_at >= p_to
    )
    SELECT j.id, j.state,
           CASE
               WHEN j.state IN ('matched', 'amount_differs') THEN 'line_outside_period'
               WHEN j.state = 'reversed' AND j.completed_at IS NULL THEN 'undone_here'
               WHEN j.state = 'missing_there' AND j.type <> 'DEPOSIT' THEN lower(j.type)
           END,
           j.state IN ('missing_there', 'amount_differs'),
           j.reference::text, j.amount, CASE WHEN j.completed_at IS NULL THEN j.sign * j.amount ELSE 0 END,
           j.happened_at::timestamp
      FROM judged j
$function$;

DROP FUNCTION services.begin_mpesa_period(p_short_code text, p_from timestamp without time zone, p_to timestamp without time zone, p_by text, OUT outcome text, OUT reason text, OUT id uuid);

DROP FUNCTION services.change_mpesa_breaks(p_ids uuid[], p_versions integer[], p_action text, p_by text, p_assignee text, p_reason text, p_comment text, p_evidence text, p_is_trial boolean);

DROP FUNCTION services.closed_mpesa_period(p_short_code text, p_happened_at timestamp without time zone, p_posted_at timestamp without time zone);

DROP FUNCTION services.end_mpesa_period(p_id uuid, p_report uuid, p_closing numeric, p_float numeric, p_items text, OUT is_closed boolean);

DROP FUNCTION services.mpesa_float(p_short_code text, p_at timestamp without time zone);

DROP FUNCTION services.mpesa_period_balance(p_short_code text, p_from timestamp without time zone, p_to timestamp without time zone, OUT opening numeric, OUT paid_in numeric, OUT withdrawn numeric, OUT closing numeric, OUT breaks integer, OUT unknown integer);

DROP FUNCTION services.note_mpesa_breaks(p_short_code text, p_from timestamp without time zone, p_to timestamp without time zone, p_by text, OUT noted integer);

DROP FUNCTION services.post_mpesa_lines(p_short_code text, p_from timestamp without time zone, p_to timestamp without time zone, p_after_at timestamp without time zone, p_after_id uuid, p_limit integer, OUT posted integer, OUT last_at timestamp without time zone, OUT last_id uuid);

DROP FUNCTION services.post_mpesa_reversal(p_line uuid, OUT outcome text, OUT recovered numeric, OUT owed numeric);

DROP FUNCTION services.reopen_mpesa_period(p_id uuid, p_by text, p_reason text, OUT outcome text, OUT reason text);

-- ==== end of functions ====
