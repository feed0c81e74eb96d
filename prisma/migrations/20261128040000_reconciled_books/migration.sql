-- The books of a short code: what M-PESA charged, settled and took back is posted, periods are closed, and what is open has
-- people.
--
-- Before: reconciliation says what differs, and the float is what the ledger alone knows.
-- After:  BANK, CHARGES and RECEIVABLES are accounts of the house, without a floor: their balances are the negative of what
--         they hold, as that of the float is. services.mpesa_periods holds closed periods, mpesa_breaks and mpesa_break_events
--         what is open and who did what about it. All of them are written by their functions only.

-- CreateTable
CREATE TABLE "services"."mpesa_periods" (
    "id" UUID NOT NULL DEFAULT core.new_id(),
    "short_code" VARCHAR(20) NOT NULL,
    "from_at" TIMESTAMP(3) NOT NULL,
    "to_at" TIMESTAMP(3) NOT NULL,
    "status" VARCHAR(10) NOT NULL DEFAULT 'CLOSING',
    "closed_at" TIMESTAMP(3) NOT NULL,
    "closed_by" VARCHAR(100) NOT NULL,
    "report_id" UUID,
    "closing" DECIMAL(19,2),
    "float" DECIMAL(19,2),
    "items" TEXT,
    "reopened_at" TIMESTAMP(3),
    "reopened_by" VARCHAR(100),
    "reopened_for" TEXT,

    CONSTRAINT "mpesa_periods_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "services"."mpesa_breaks" (
    "id" UUID NOT NULL DEFAULT core.new_id(),
    "short_code" VARCHAR(20) NOT NULL,
    "subject_id" UUID NOT NULL,
    "side" VARCHAR(10) NOT NULL,
    "state" VARCHAR(20) NOT NULL,
    "why" VARCHAR(40),
    "reference" VARCHAR(50) NOT NULL,
    "kind" VARCHAR(20) NOT NULL,
    "amount" DECIMAL(19,2) NOT NULL,
    "ledger_amount" DECIMAL(19,2),
    "happened_at" TIMESTAMP(3) NOT NULL,
    "due_at" TIMESTAMP(3) NOT NULL,
    "status" VARCHAR(10) NOT NULL DEFAULT 'OPEN',
    "assignee" VARCHAR(100),
    "proposed_by" VARCHAR(100),
    "reason" VARCHAR(40),
    "comment" TEXT,
    "evidence" TEXT,
    "is_explained" BOOLEAN NOT NULL DEFAULT false,
    "version" INTEGER NOT NULL DEFAULT 1,
    "created_at" TIMESTAMP(3) NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'::text),

    CONSTRAINT "mpesa_breaks_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "services"."mpesa_break_events" (
    "break_id" UUID NOT NULL,
    "version" INTEGER NOT NULL,
    "action" VARCHAR(10) NOT NULL,
    "status" VARCHAR(10) NOT NULL,
    "actor" VARCHAR(100) NOT NULL,
    "assignee" VARCHAR(100),
    "reason" VARCHAR(40),
    "comment" TEXT,
    "evidence" TEXT,
    "created_at" TIMESTAMP(3) NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'::text),

    CONSTRAINT "mpesa_break_events_pkey" PRIMARY KEY ("break_id","version")
);

-- CreateIndex
CREATE INDEX "mpesa_periods_short_code_idx" ON "services"."mpesa_periods"("short_code", "to_at");

-- CreateIndex
CREATE INDEX "mpesa_breaks_short_code_idx" ON "services"."mpesa_breaks"("short_code", "happened_at");

-- CreateIndex
CREATE UNIQUE INDEX "mpesa_breaks_subject_key" ON "services"."mpesa_breaks"("short_code", "subject_id");

-- AddForeignKey
ALTER TABLE "services"."mpesa_break_events" ADD CONSTRAINT "mpesa_break_events_break_id_fkey" FOREIGN KEY ("break_id") REFERENCES "services"."mpesa_breaks"("id") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddCheck
ALTER TABLE services.mpesa_periods
    ADD CONSTRAINT mpesa_periods_status_check CHECK (status IN ('CLOSING', 'CLOSED', 'REFUSED', 'REOPENED')),
    ADD CONSTRAINT mpesa_periods_span_check CHECK (from_at < to_at),
    ADD CONSTRAINT mpesa_periods_closed_check CHECK (status NOT IN ('CLOSED', 'REOPENED') OR report_id IS NOT NULL),
    ADD CONSTRAINT mpesa_periods_reopened_check
        CHECK ((status = 'REOPENED') = (reopened_at IS NOT NULL AND reopened_by IS NOT NULL AND reopened_for IS NOT NULL));
ALTER TABLE services.mpesa_breaks
    ADD CONSTRAINT mpesa_breaks_status_check CHECK (status IN ('OPEN', 'ASSIGNED', 'PROPOSED', 'APPROVED', 'RESOLVED')),
    ADD CONSTRAINT mpesa_breaks_side_check CHECK (side IN ('statement', 'ledger')),
    ADD CONSTRAINT mpesa_breaks_assignee_check CHECK (status <> 'ASSIGNED' OR assignee IS NOT NULL),
    ADD CONSTRAINT mpesa_breaks_proposal_check
        CHECK (status NOT IN ('PROPOSED', 'APPROVED') OR (proposed_by IS NOT NULL AND reason IS NOT NULL));

-- The guards of wallets let it through: it is a migration's to make them.
DO $$
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    INSERT INTO core.wallets (id, holder_name, kind, min_balance, lane)
    VALUES ('BANK', 'Settled to the bank', 'SYSTEM', NULL, core.lane_of('BANK')),
           ('CHARGES', 'Charges of M-PESA', 'SYSTEM', NULL, core.lane_of('CHARGES')),
           ('RECEIVABLES', 'Owed for payments that M-PESA took back', 'SYSTEM', NULL, core.lane_of('RECEIVABLES'))
    ON CONFLICT (id) DO NOTHING;
    PERFORM set_config('daftari.door', '', true);
END
$$;

-- ==== functions: written by db:migration, edit prisma/functions instead ====

DROP FUNCTION services.mpesa_movement_states(p_short_code text, p_from timestamp without time zone, p_to timestamp without time zone);

-- Adds lines to a statement that services.begin_mpesa_statement began in the same transaction.
--
-- Arrays of equal length, one element a row of the file. Amounts have two decimals, of p_paid_in and p_withdrawn one is 0.
-- After: each line is there once. Of all files that show a line, the first by form, statement and row is the one that is
--        read, so that the order of the imports makes no difference.
--        added: lines that no file had shown before.
-- Fails with DF020, and so imports nothing, when such a line belongs to a closed period.
CREATE OR REPLACE FUNCTION services.add_mpesa_statement_lines(
    p_statement       uuid,
    p_account_key     text,
    p_rows            integer[],
    p_receipts        text[],
    p_completed_at    timestamp[],
    p_details         text[],
    p_statuses        text[],
    p_is_completed    boolean[],
    p_kinds           text[],
    p_paid_in         numeric[],
    p_withdrawn       numeric[],
    p_balances        numeric[],
    p_reasons         text[],
    p_accounts        text[],
    p_phones          text[],
    p_names           text[],
    p_linked_receipts text[],
    OUT added integer
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_is_late boolean;
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
        RETURNING l.xmax = 0 AS is_new, l.short_code, l.completed_at
    )
    SELECT count(*) FILTER (WHERE w.is_new),
           coalesce(bool_or(w.is_new AND EXISTS (
               SELECT FROM services.mpesa_periods p
                WHERE p.short_code = w.short_code AND p.from_at <= w.completed_at AND p.to_at > w.completed_at
                  AND p.status IN ('CLOSED', 'CLOSING')
           )), false)
      INTO added, v_is_late
      FROM written w;
    IF v_is_late THEN
        RAISE EXCEPTION 'a line belongs to a closed period' USING ERRCODE = 'DF020', HINT = 'Reopen the period first.';
    END IF;
    PERFORM set_config('daftari.door', '', true);
END
$$;

-- Begins to close the books of a period: from here on whatever is posted belongs to the day on which it is posted.
--
-- Periods of a short code are closed in order and without gaps, the first one wherever it begins.
-- Before: nothing is locked.
-- After:  whatever moved the float before closed_at is committed, for the float was locked when the clock was read. outcome
--         'begun' with the row's id, or 'refused' with reason: period_in_future, period_closed (it, or one that it overlaps, is
--         closed), or periods_out_of_order. A row that was left CLOSING is given up.
CREATE OR REPLACE FUNCTION services.begin_mpesa_period(
    p_short_code text, p_from timestamp, p_to timestamp, p_by text,
    OUT outcome text, OUT reason text, OUT id uuid
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_until timestamp;
    v_now   timestamp;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('services.mpesa_periods ' || p_short_code, 0));
    SELECT max(p.to_at) INTO v_until FROM services.mpesa_periods p WHERE p.short_code = p_short_code AND p.status = 'CLOSED';
    outcome := 'refused';
    reason := CASE
        WHEN p_from < v_until THEN 'period_closed'
        WHEN p_from > v_until THEN 'periods_out_of_order'
        WHEN p_to > clock_timestamp() AT TIME ZONE 'UTC' THEN 'period_in_future'
    END;
    IF reason IS NOT NULL THEN
        RETURN;
    END IF;
    PERFORM core.lock_wallets(ARRAY(
        SELECT core.stripe_of(p_account => 'MPESA-FLOAT', p_lane => s.lane::smallint) FROM generate_series(0, 15) AS s (lane)
    ));
    v_now := date_trunc('milliseconds', clock_timestamp() AT TIME ZONE 'UTC');
    PERFORM set_config('daftari.door', 'open', true);
    UPDATE services.mpesa_periods p SET status = 'REFUSED' WHERE p.short_code = p_short_code AND p.status = 'CLOSING';
    INSERT INTO services.mpesa_periods AS p (short_code, from_at, to_at, closed_at, closed_by)
    VALUES (p_short_code, p_from, p_to, v_now, coalesce(p_by, session_user))
    RETURNING p.id INTO id;
    PERFORM set_config('daftari.door', '', true);
    outcome := 'begun';
END
$$;

-- What people do about breaks, many at a time.
--
-- p_action: assign (to p_assignee), propose (a reason, with comment and evidence), approve (another person than the one who
--           proposed), reject, resolve (what was approved is done), reopen (with a comment).
-- p_versions: what the caller saw; NULL for no such check. A break that has changed since is refused as stale.
-- After: one row an id, in their order: outcome 'changed', or 'refused' with reason: unknown_break, stale, wrong_status or
--        same_person. p_is_trial: nothing is changed, and the outcomes are those that there would be.
CREATE OR REPLACE FUNCTION services.change_mpesa_breaks(
    p_ids uuid[], p_versions integer[], p_action text, p_by text, p_assignee text, p_reason text, p_comment text,
    p_evidence text, p_is_trial boolean
)
RETURNS TABLE (id uuid, outcome text, reason text)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- In one order for everybody, so that two who change the same breaks do not wait in a circle.
    PERFORM FROM services.mpesa_breaks b WHERE b.id = ANY (p_ids) ORDER BY b.id FOR UPDATE;
    PERFORM set_config('daftari.door', 'open', true);
    RETURN QUERY
    WITH judged AS MATERIALIZED (
        SELECT x.id, x.place, b.status AS was,
               CASE
                   WHEN b.id IS NULL THEN 'unknown_break'
                   WHEN b.version <> p_versions[x.place] THEN 'stale'
                   WHEN NOT b.status = ANY (CASE p_action
                       WHEN 'assign' THEN ARRAY['OPEN', 'ASSIGNED']
                       WHEN 'propose' THEN ARRAY['OPEN', 'ASSIGNED']
                       WHEN 'resolve' THEN ARRAY['APPROVED']
                       WHEN 'reopen' THEN ARRAY['RESOLVED', 'APPROVED']
                       ELSE ARRAY['PROPOSED']
                   END) THEN 'wrong_status'
                   WHEN p_action = 'approve' AND b.proposed_by = p_by THEN 'same_person'
               END AS fault
          FROM (
            SELECT DISTINCT ON (u.id) u.id, u.place FROM unnest(p_ids) WITH ORDINALITY AS u (id, place) ORDER BY u.id, u.place
          ) x
          LEFT JOIN services.mpesa_breaks b ON b.id = x.id
    ), changed AS (
        UPDATE services.mpesa_breaks b
           SET status = CASE p_action
                   WHEN 'assign' THEN 'ASSIGNED'
                   WHEN 'propose' THEN 'PROPOSED'
                   WHEN 'approve' THEN 'APPROVED'
                   WHEN 'resolve' THEN 'RESOLVED'
                   WHEN 'reject' THEN CASE WHEN b.assignee IS NULL THEN 'OPEN' ELSE 'ASSIGNED' END
                   ELSE 'OPEN'
               END,
               assignee = CASE p_action WHEN 'assign' THEN p_assignee ELSE b.assignee END,
               proposed_by = CASE p_action WHEN 'propose' THEN p_by WHEN 'reject' THEN NULL WHEN 'reopen' THEN NULL ELSE b.proposed_by END,
               reason = CASE p_action WHEN 'propose' THEN p_reason WHEN 'reject' THEN NULL WHEN 'reopen' THEN NULL ELSE b.reason END,
               comment = coalesce(p_comment, b.comment), evidence = coalesce(p_evidence, b.evidence),
               version = b.version + 1
          FROM judged j
         WHERE b.id = j.id AND j.fault IS NULL AND NOT p_is_trial
        RETURNING b.id, b.version, b.status
    ), events AS (
        INSERT INTO services.mpesa_break_events (break_id, version, action, status, actor, assignee, reason, comment, evidence)
        SELECT c.id, c.version, p_action, c.status, p_by, p_assignee, p_reason, p_comment, p_evidence FROM changed c
        RETURNING break_id
    )
    SELECT j.id, CASE WHEN j.fault IS NULL THEN 'changed' ELSE 'refused' END, j.fault FROM judged j ORDER BY j.place;
    PERFORM set_config('daftari.door', '', true);
END
$$;

-- The closed period in which a movement came too late: it happened before the period's end and was posted after the books
-- were closed. NULL when it was in time.
CREATE OR REPLACE FUNCTION services.closed_mpesa_period(p_short_code text, p_happened_at timestamp, p_posted_at timestamp)
RETURNS uuid
LANGUAGE sql
STABLE
AS $$
    SELECT p.id
      FROM services.mpesa_periods p
     WHERE p.short_code = p_short_code AND p.to_at > p_happened_at AND p.closed_at <= p_posted_at
       AND p.status IN ('CLOSED', 'CLOSING')
     ORDER BY p.to_at
     LIMIT 1
$$;

-- Ends the closing that services.begin_mpesa_period began.
--
-- p_report: the report with which the period is closed; NULL when its totals do not agree.
-- After: is_closed. The period is CLOSED or REFUSED; one that somebody else has given up meanwhile stays what it is.
CREATE OR REPLACE FUNCTION services.end_mpesa_period(
    p_id uuid, p_report uuid, p_closing numeric, p_float numeric, p_items text, OUT is_closed boolean
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    UPDATE services.mpesa_periods p
       SET status = CASE WHEN p_report IS NULL THEN 'REFUSED' ELSE 'CLOSED' END,
           report_id = p_report, closing = p_closing, "float" = p_float, items = p_items
     WHERE p.id = p_id AND p.status = 'CLOSING';
    is_closed := FOUND AND p_report IS NOT NULL;
    PERFORM set_config('daftari.door', '', true);
END
$$;

-- What M-PESA should hold for a short code at a moment, by our ledger: zero or above while nobody owes M-PESA.
--
-- A payment counts from when it was paid, what was posted from a statement from when M-PESA did it, everything else from when
-- it was posted. What came too late for a closed period counts from when it was posted: the float with which a period was
-- closed stays what it was, and only what is newer is added up. Money that leaves without a line belongs to no short code, and
-- is subtracted from each.
CREATE OR REPLACE FUNCTION services.mpesa_float(p_short_code text, p_at timestamp)
RETURNS numeric
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    WITH base AS (
        SELECT x.to_at, x."float"
          FROM (
            SELECT p.to_at, p."float"
              FROM services.mpesa_periods p
             WHERE p.short_code = p_short_code AND p.status = 'CLOSED' AND p.to_at <= p_at
            UNION ALL
            SELECT timestamp '1970-01-01', 0
          ) x
         ORDER BY x.to_at DESC
         LIMIT 1
    ), deposits AS (
        SELECT sum(services.deposit_amount(p_receipt => t.reference, p_amount => t.amount)) AS amount
          FROM base b
          JOIN services.mpesa_logs g ON g.short_code = p_short_code AND g.created_at >= b.to_at - interval '1 day'
          JOIN core.transactions t ON t.reference = g.mpesa_receipt AND t.type = 'DEPOSIT'
         CROSS JOIN LATERAL (
            SELECT CASE
                WHEN services.closed_mpesa_period(
                    p_short_code => p_short_code, p_happened_at => coalesce(g.paid_at, g.created_at), p_posted_at => t.created_at
                ) IS NULL THEN coalesce(g.paid_at, g.created_at)
                ELSE t.created_at
            END AS at
         ) e
         WHERE e.at >= b.to_at AND e.at < p_at
    ), stated AS (
        SELECT sum(l.paid_in - l.withdrawn) AS amount
          FROM base b
          JOIN services.mpesa_statement_lines l
            ON l.short_code = p_short_code AND l.completed_at >= b.to_at AND l.completed_at < p_at
          JOIN services.mpesa_matches m ON m.line_id = l.id
          JOIN core.transactions t ON t.id = m.transaction_id AND t.reference ~ '^(MC|MS|RV)-'
         WHERE l.kind IN ('charge', 'sweep', 'reversal')
    ), others AS (
        SELECT sum(CASE WHEN core.account_of(t.credit_wallet_id) = 'MPESA-FLOAT' THEN -t.amount ELSE t.amount END) AS amount
          FROM base b
          JOIN core.transactions t
            ON t.id >= (lpad(to_hex((extract(epoch FROM b.to_at) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
          LEFT JOIN core.transactions o ON o.id = t.reverses_id
          LEFT JOIN services.mpesa_logs g ON g.mpesa_receipt = o.reference
          LEFT JOIN services.mpesa_matches m ON m.transaction_id = t.id
          LEFT JOIN services.mpesa_statement_lines l ON l.id = m.line_id
         WHERE t.type <> 'DEPOSIT' AND t.reference !~ '^(MC|MS|RV|CR)-'
           AND 'MPESA-FLOAT' IN (core.account_of(t.debit_wallet_id), core.account_of(t.credit_wallet_id))
           AND (o.type IS DISTINCT FROM 'DEPOSIT' OR g.short_code = p_short_code)
           AND CASE WHEN l.completed_at >= b.to_at THEN l.completed_at ELSE t.created_at END < p_at
    ), corrections AS (
        -- Of deposits that were closed before: the others are in their deposits.
        SELECT sum(CASE WHEN c.type = 'DEPOSIT' THEN c.amount ELSE -c.amount END) AS amount
          FROM base b
          JOIN core.transactions c
            ON c.id >= (lpad(to_hex((extract(epoch FROM b.to_at) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
           AND c.created_at < p_at AND c.reference LIKE 'CR-%'
          JOIN services.mpesa_logs g ON g.mpesa_receipt = substr(c.reference, 4) AND g.short_code = p_short_code
          JOIN core.transactions t ON t.reference = g.mpesa_receipt
         WHERE coalesce(g.paid_at, g.created_at) < b.to_at AND services.closed_mpesa_period(
                   p_short_code => p_short_code, p_happened_at => coalesce(g.paid_at, g.created_at), p_posted_at => t.created_at
               ) IS NULL
           AND services.closed_mpesa_period(
                   p_short_code => p_short_code, p_happened_at => coalesce(g.paid_at, g.created_at), p_posted_at => c.created_at
               ) IS NOT NULL
    )
    SELECT (b."float" + coalesce(d.amount, 0) + coalesce(s.amount, 0) + coalesce(o.amount, 0) + coalesce(c.amount, 0))::numeric(19,2)
      FROM base b, deposits d, stated s, others o, corrections c
$$;

-- The state of each line of a short code's statements in a period: exactly one row a line.
--
-- state: matched, missing_here, amount_differs, reversed, charge, sweep, not_completed or unexplained.
-- reason: why, where the state alone does not say; see docs/reconciling.md. is_open: somebody must act.
-- amount: of the line, above or equal to 0. ledger_amount: of the movement with its receipt. statement_net and ledger_net:
--         what the line and the movement changed, with their signs, of the account that customers pay into.
CREATE OR REPLACE FUNCTION services.mpesa_line_states(p_short_code text, p_from timestamp, p_to timestamp)
RETURNS TABLE (
    line_id uuid, state text, reason text, is_open boolean, kind text, receipt text, amount numeric, ledger_amount numeric,
    statement_net numeric, ledger_net numeric, happened_at timestamp
)
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $$
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
               WHEN e.kind IN ('charge', 'sweep') AND e.explained IS NOT NULL THEN e.paid_in - e.withdrawn
               ELSE 0
           END,
           e.completed_at::timestamp
      FROM explained e
$$;

-- The state of each movement of the float in a period that no line of the period explains: exactly one row a movement.
--
-- Movements are those of the short code's deposits, by the time when they were paid, and those that go out of the ledger or
-- back, by the time when they were posted. The latter have no short code unless they reverse a deposit, and belong to each.
-- A correction belongs to its deposit (services.deposit_amount). What came too late for a closed period is in the period in
-- which it was posted, and closed_period names the other one.
-- state: matched or amount_differs, by a line outside the period; reversed, posted and undone without a line; missing_there.
CREATE OR REPLACE FUNCTION services.mpesa_movement_states(p_short_code text, p_from timestamp, p_to timestamp)
RETURNS TABLE (
    transaction_id uuid, state text, reason text, is_open boolean, reference text, amount numeric, ledger_net numeric,
    happened_at timestamp, closed_period uuid
)
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    WITH movements AS (
        SELECT t.id, t.reference, t.type, t.id AS original, t.reference AS receipt,
               services.deposit_amount(p_receipt => t.reference, p_amount => t.amount) AS amount,
               services.deposit_amount(p_receipt => t.reference, p_amount => t.amount) AS original_amount,
               1 AS sign, p.at AS happened_at, c.closed
          FROM services.mpesa_logs g
          JOIN core.transactions t ON t.reference = g.mpesa_receipt AND t.type = 'DEPOSIT'
         CROSS JOIN LATERAL (
            SELECT services.closed_mpesa_period(
                p_short_code => p_short_code, p_happened_at => coalesce(g.paid_at, g.created_at), p_posted_at => t.created_at
            ) AS closed
         ) c
         CROSS JOIN LATERAL (
            SELECT CASE WHEN c.closed IS NULL THEN coalesce(g.paid_at, g.created_at) ELSE t.created_at END AS at
         ) p
         -- Nobody reports a payment long before it was made, so the index of the log says where to begin.
         WHERE g.short_code = p_short_code AND g.created_at >= p_from - interval '1 day' AND p.at >= p_from AND p.at < p_to
        UNION ALL
        SELECT t.id, t.reference, t.type, coalesce(o.id, t.id), o.reference, t.amount,
               CASE
                   WHEN o.type = 'DEPOSIT' THEN services.deposit_amount(p_receipt => o.reference, p_amount => o.amount)
                   ELSE coalesce(o.amount, t.amount)
               END,
               CASE WHEN core.account_of(t.credit_wallet_id) = 'MPESA-FLOAT' THEN -1 ELSE 1 END, t.created_at, NULL
          FROM core.transactions t
          LEFT JOIN core.transactions o ON o.id = t.reverses_id
          LEFT JOIN services.mpesa_logs g ON g.mpesa_receipt = o.reference
         -- The ids sort by time; see core.uuid_v7.
         WHERE t.id >= (lpad(to_hex((extract(epoch FROM p_from) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
           AND t.id < (lpad(to_hex((extract(epoch FROM p_to) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
           AND t.type <> 'DEPOSIT' AND t.reference NOT LIKE 'CR-%'
           AND 'MPESA-FLOAT' IN (core.account_of(t.debit_wallet_id), core.account_of(t.credit_wallet_id))
           AND (o.type IS DISTINCT FROM 'DEPOSIT' OR g.short_code = p_short_code)
           -- What was posted from a line is in the state of that line.
           AND t.debit_wallet_id <> 'RECEIVABLES'
           AND NOT (
               t.type <> 'REVERSAL'
               AND ('BANK' IN (t.debit_wallet_id, t.credit_wallet_id) OR 'CHARGES' IN (t.debit_wallet_id, t.credit_wallet_id))
               AND EXISTS (SELECT FROM services.mpesa_matches p WHERE p.transaction_id = t.id)
           )
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
               WHEN j.closed IS NOT NULL THEN 'late_for_closed_period'
               WHEN j.state IN ('matched', 'amount_differs') THEN 'line_outside_period'
               WHEN j.state = 'reversed' AND j.completed_at IS NULL THEN 'undone_here'
               WHEN j.state = 'missing_there' AND j.type <> 'DEPOSIT' THEN lower(j.type)
           END,
           j.state IN ('missing_there', 'amount_differs'),
           j.reference::text, j.amount, CASE WHEN j.completed_at IS NULL OR j.closed IS NOT NULL THEN j.sign * j.amount ELSE 0 END,
           j.happened_at::timestamp, j.closed
      FROM judged j
$$;

-- What M-PESA's statements say about a period of the account that customers pay into: one row.
--
-- Lines come in any order, so the ends are found by their balances: each line begins where another one ended, except the
-- first, and ends where another one begins, except the last.
-- opening, closing: NULL when no line says; without a line they are the closing balance of the period that was closed before.
-- breaks: how often the balance jumps. unknown: lines that do not say their balance.
CREATE OR REPLACE FUNCTION services.mpesa_period_balance(
    p_short_code text, p_from timestamp, p_to timestamp,
    OUT opening numeric, OUT paid_in numeric, OUT withdrawn numeric, OUT closing numeric, OUT breaks integer, OUT unknown integer
)
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_lines integer;
    v_start numeric;
BEGIN
    WITH lines AS (
        SELECT l.completed_at AS at, l.paid_in, l.withdrawn, l.balance, l.balance - l.paid_in + l.withdrawn AS before
          FROM services.mpesa_statement_lines l
         WHERE l.short_code = p_short_code AND l.completed_at >= p_from AND l.completed_at < p_to
           AND l.is_completed AND l.account_key = ''
    ), ends AS (
        SELECT e.balance, sum(e.side) AS side, min(e.at) AS first_at, max(e.at) AS last_at
          FROM (
            SELECT l.before AS balance, 1 AS side, l.at FROM lines l WHERE l.balance IS NOT NULL
            UNION ALL
            SELECT l.balance, -1, l.at FROM lines l WHERE l.balance IS NOT NULL
          ) e
         GROUP BY e.balance
        HAVING sum(e.side) <> 0
    )
    SELECT t.lines, t.paid_in, t.withdrawn, t.unknown,
           (SELECT e.balance FROM ends e WHERE e.side > 0 ORDER BY e.first_at, e.balance LIMIT 1),
           (SELECT e.balance FROM ends e WHERE e.side < 0 ORDER BY e.last_at DESC, e.balance LIMIT 1),
           coalesce((SELECT sum(e.side) FROM ends e WHERE e.side > 0), 1) - 1,
           -- A balance that came back to where it began has no ends.
           (SELECT l.before FROM lines l WHERE l.balance IS NOT NULL ORDER BY l.at, l.before LIMIT 1)
      INTO v_lines, paid_in, withdrawn, unknown, opening, closing, breaks, v_start
      FROM (
        SELECT count(*) AS lines, coalesce(sum(l.paid_in), 0.00) AS paid_in, coalesce(sum(l.withdrawn), 0.00) AS withdrawn,
               count(*) FILTER (WHERE l.balance IS NULL) AS unknown
          FROM lines l
      ) t;
    IF v_lines = 0 THEN
        SELECT p.closing INTO v_start
          FROM services.mpesa_periods p
         WHERE p.short_code = p_short_code AND p.status = 'CLOSED' AND p.to_at = p_from;
    END IF;
    opening := coalesce(opening, v_start);
    closing := coalesce(closing, v_start);
END
$$;

-- Keeps what is open in a period of a short code, so that people can work on it.
--
-- What is open for the first time is OPEN. What nobody needs to act on any more is RESOLVED, with is_explained, unless a
-- person had resolved it: then the truth came later than their decision, and it is OPEN again, as is what has changed since.
-- Due are 100,000 and more within a day, 10,000 and more within three days, less within seven.
--
-- p_by: who reconciles; NULL stands for the database role. After: noted, how many were found, changed or ended.
CREATE OR REPLACE FUNCTION services.note_mpesa_breaks(
    p_short_code text, p_from timestamp, p_to timestamp, p_by text, OUT noted integer
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_by constant text := coalesce(p_by, session_user);
BEGIN
    -- Two who reconcile one short code at the same time do this one after the other.
    PERFORM pg_advisory_xact_lock(hashtextextended('services.mpesa_breaks ' || p_short_code, 0));
    PERFORM set_config('daftari.door', 'open', true);
    WITH items AS MATERIALIZED (
        SELECT l.line_id AS subject, 'statement' AS side, l.state, l.reason, l.is_open, l.kind, l.receipt AS reference, l.amount,
               l.ledger_amount, l.happened_at
          FROM services.mpesa_line_states(p_short_code => p_short_code, p_from => p_from, p_to => p_to) l
        UNION ALL
        SELECT m.transaction_id, 'ledger', m.state, m.reason, m.is_open, 'movement', m.reference, m.amount, m.amount, m.happened_at
          FROM services.mpesa_movement_states(p_short_code => p_short_code, p_from => p_from, p_to => p_to) m
    ), found AS (
        INSERT INTO services.mpesa_breaks AS b (
            short_code, subject_id, side, state, why, reference, kind, amount, ledger_amount, happened_at, due_at
        )
        SELECT p_short_code, i.subject, i.side, i.state, i.reason, i.reference, i.kind, i.amount, i.ledger_amount, i.happened_at,
               i.happened_at + CASE
                   WHEN i.amount >= 100000 THEN interval '1 day'
                   WHEN i.amount >= 10000 THEN interval '3 days'
                   ELSE interval '7 days'
               END
          FROM items i
         WHERE i.is_open
         ORDER BY i.subject
        ON CONFLICT (short_code, subject_id) DO UPDATE
           SET state = EXCLUDED.state, why = EXCLUDED.why, amount = EXCLUDED.amount, ledger_amount = EXCLUDED.ledger_amount,
               status = 'OPEN', is_explained = false, proposed_by = NULL, reason = NULL, version = b.version + 1
         WHERE b.state <> EXCLUDED.state OR b.amount <> EXCLUDED.amount
            OR b.ledger_amount IS DISTINCT FROM EXCLUDED.ledger_amount OR b.is_explained OR b.why = 'explained_after_decision'
        RETURNING b.id, b.version, b.status
    ), ended AS (
        UPDATE services.mpesa_breaks b
           -- A movement that a line explains is in no state of its own.
           SET state = coalesce(i.state, 'matched'),
               why = CASE b.status WHEN 'RESOLVED' THEN 'explained_after_decision' ELSE i.reason END,
               is_explained = b.status <> 'RESOLVED',
               status = CASE b.status WHEN 'RESOLVED' THEN 'OPEN' ELSE 'RESOLVED' END,
               version = b.version + 1
          FROM services.mpesa_breaks x
          LEFT JOIN items i ON i.subject = x.subject_id
         WHERE b.id = x.id AND x.short_code = p_short_code AND x.happened_at >= p_from AND x.happened_at < p_to
           AND i.is_open IS NOT TRUE AND NOT x.is_explained
           AND x.why IS DISTINCT FROM 'explained_after_decision'
        RETURNING b.id, b.version, b.status
    ), events AS (
        INSERT INTO services.mpesa_break_events (break_id, version, action, status, actor)
        SELECT f.id, f.version, CASE WHEN f.version = 1 THEN 'found' ELSE 'changed' END, f.status, v_by FROM found f
        UNION ALL
        SELECT e.id, e.version, CASE e.status WHEN 'OPEN' THEN 'changed' ELSE 'explained' END, e.status, v_by FROM ended e
        RETURNING 1
    )
    SELECT count(*) INTO noted FROM events;
    PERFORM set_config('daftari.door', '', true);
END
$$;

-- Posts M-PESA's charges and what was settled to the bank, as its statements show them, each line once.
--
-- A charge moves between MPESA-FLOAT and CHARGES, a sweep between MPESA-FLOAT and BANK: what M-PESA no longer holds has been
-- paid to it, or is at the bank. Both wallets stand for the world outside and have no floor.
--
-- p_after_at, p_after_id: where the page before this one ended; p_limit: lines of a page.
-- After: each line of the page has its movement, and explains it. The movement's reference comes from the line's identity, so
--        that whoever posts at the same time finds it taken. posted: how many this call made. last_at, last_id: where the page
--        ends; NULL when it was the last one.
CREATE OR REPLACE FUNCTION services.post_mpesa_lines(
    p_short_code text, p_from timestamp, p_to timestamp, p_after_at timestamp, p_after_id uuid, p_limit integer,
    OUT posted integer, OUT last_at timestamp, OUT last_id uuid
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    n            integer;
    v_ids        uuid[];
    v_times      timestamp[];
    v_references text[];
    v_types      text[];
    v_debits     text[];
    v_credits    text[];
    v_amounts    numeric[];
    v_narratives text[];
    v_outcomes   text[];
BEGIN
    SELECT count(*), array_agg(x.id), array_agg(x.completed_at), array_agg(x.reference), array_agg(x.type),
           array_agg(CASE WHEN x.withdrawn > 0 THEN x.other ELSE 'MPESA-FLOAT' END),
           array_agg(CASE WHEN x.withdrawn > 0 THEN 'MPESA-FLOAT' ELSE x.other END),
           array_agg(x.withdrawn + x.paid_in), array_agg(x.narrative)
      INTO n, v_ids, v_times, v_references, v_types, v_debits, v_credits, v_amounts, v_narratives
      FROM (
        SELECT l.id, l.completed_at, l.withdrawn, l.paid_in,
               CASE l.kind WHEN 'charge' THEN 'MC-' ELSE 'MS-' END || upper(replace(l.id::text, '-', '')) AS reference,
               CASE l.kind WHEN 'charge' THEN 'FEE' ELSE 'TRANSFER' END AS type,
               CASE l.kind WHEN 'charge' THEN 'CHARGES' ELSE 'BANK' END AS other,
               'M-PESA ' || l.kind || ' ' || l.receipt AS narrative
          FROM services.mpesa_statement_lines l
         WHERE l.short_code = p_short_code AND l.completed_at >= greatest(p_from, p_after_at) AND l.completed_at < p_to
           AND (p_after_at IS NULL OR (l.completed_at, l.id) > (p_after_at, p_after_id))
           AND l.kind IN ('charge', 'sweep') AND l.is_completed AND l.account_key = '' AND l.paid_in + l.withdrawn > 0
           AND NOT EXISTS (SELECT FROM services.mpesa_matches m WHERE m.line_id = l.id)
           -- A file without balances may show what another file shows with them: that is one charge, and two lines.
           AND NOT EXISTS (
               SELECT FROM services.mpesa_statement_lines o
                WHERE o.receipt = l.receipt AND o.short_code = l.short_code AND o.account_key = '' AND o.kind = l.kind
                  AND o.is_completed AND o.paid_in = l.paid_in AND o.withdrawn = l.withdrawn
                  AND (o.balance IS NULL) <> (l.balance IS NULL)
                  AND (l.balance IS NULL OR EXISTS (SELECT FROM services.mpesa_matches m WHERE m.line_id = o.id))
           )
         ORDER BY l.completed_at, l.id
         LIMIT p_limit
      ) x;
    posted := 0;
    IF n = 0 THEN
        RETURN;
    END IF;
    IF n = p_limit THEN
        last_at := v_times[n];
        last_id := v_ids[n];
    END IF;

    SELECT p.outcomes INTO v_outcomes
      FROM core.post_transactions(
          p_references => v_references, p_types => v_types, p_debits => v_debits, p_credits => v_credits,
          p_fallbacks => NULL, p_amounts => v_amounts, p_currencies => array_fill('KES'::text, ARRAY[n]),
          p_narratives => v_narratives
      ) AS p;
    posted := cardinality(array_positions(v_outcomes, 'created'));
    PERFORM set_config('daftari.door', 'open', true);
    INSERT INTO services.mpesa_matches (line_id, transaction_id)
    SELECT x.line, t.id
      FROM unnest(v_ids, v_references) AS x (line, reference)
      JOIN core.transactions t ON t.reference = x.reference AND t.reference = ANY (v_references)
     ORDER BY x.line
    ON CONFLICT DO NOTHING;
    PERFORM set_config('daftari.door', '', true);
END
$$;

-- Takes back a payment that M-PESA took back, as a line of its statements shows it, once.
--
-- The policy: what the customer still has of it is recovered from the wallet that has the payment now, up to what can be
-- spent there; the rest is owed, and stands in RECEIVABLES until somebody collects it. A frozen or closed wallet owes all of
-- it. What waits in suspense goes back whole.
--
-- After: outcome 'posted' with what was recovered and what is owed; 'known' when the line explains a movement already;
--        'left' when less of the payment is left than M-PESA took, so that a person must look, or the line is no such
--        reversal. The line explains the first of the two movements.
CREATE OR REPLACE FUNCTION services.post_mpesa_reversal(
    p_line uuid, OUT outcome text, OUT recovered numeric, OUT owed numeric
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    l           services.mpesa_statement_lines;
    t           core.transactions;
    v_wallet    text;
    v_reference text;
    v_first     integer; -- of the two legs: 1 when something is recovered
    v_last      integer;
    v_post      record;
BEGIN
    outcome := 'left';
    recovered := 0;
    owed := 0;
    SELECT * INTO l FROM services.mpesa_statement_lines x WHERE x.id = p_line;
    SELECT d.* INTO t
      FROM core.transactions d
      JOIN services.mpesa_logs g ON g.mpesa_receipt = d.reference AND g.short_code = l.short_code
     WHERE d.reference = l.linked_receipt AND d.type = 'DEPOSIT';
    IF t.id IS NULL OR l.kind <> 'reversal' OR NOT l.is_completed OR l.withdrawn = 0 OR l.account_key <> '' THEN
        RETURN;
    END IF;

    SELECT coalesce(a.credit_wallet_id, t.credit_wallet_id) INTO v_wallet
      FROM core.current_assignment(t.reference) c
      LEFT JOIN core.transactions a ON a.reference = c.reference;
    PERFORM core.lock_wallets(ARRAY[v_wallet, t.debit_wallet_id::text, 'RECEIVABLES']);
    IF core.account_of(t.credit_wallet_id) = 'SUSPENSE' AND v_wallet IS DISTINCT FROM (
        SELECT coalesce(a.credit_wallet_id, t.credit_wallet_id)
          FROM core.current_assignment(t.reference) c
          LEFT JOIN core.transactions a ON a.reference = c.reference
    ) THEN
        RAISE EXCEPTION 'the payment was assigned meanwhile' USING ERRCODE = '40001';
    END IF;
    IF EXISTS (SELECT FROM services.mpesa_matches m WHERE m.line_id = p_line) THEN
        outcome := 'known';
        RETURN;
    END IF;
    IF core.remaining_of(t.id) < l.withdrawn THEN
        RETURN;
    END IF;

    SELECT CASE WHEN w.status = 'ACTIVE' THEN greatest(least(w.balance - w.held - w.min_balance, l.withdrawn), 0) ELSE 0 END
      INTO recovered
      FROM core.wallets w
     WHERE w.id = v_wallet;
    owed := l.withdrawn - recovered;
    v_first := CASE WHEN recovered > 0 THEN 1 ELSE 2 END;
    v_last := CASE WHEN owed > 0 THEN 2 ELSE 1 END;
    v_reference := 'RV-' || upper(replace(l.id::text, '-', ''));
    SELECT * INTO v_post FROM core.post_transactions(
        p_references => (ARRAY[v_reference, v_reference || '-R'])[v_first:v_last],
        p_types => (ARRAY['REVERSAL', 'REVERSAL'])[v_first:v_last],
        p_debits => (ARRAY[v_wallet, 'RECEIVABLES'])[v_first:v_last],
        p_credits => (ARRAY[t.debit_wallet_id::text, t.debit_wallet_id::text])[v_first:v_last],
        p_fallbacks => NULL, p_amounts => (ARRAY[recovered, owed])[v_first:v_last],
        p_currencies => (ARRAY[t.currency::text, t.currency::text])[v_first:v_last],
        p_reverses => (ARRAY[t.id, t.id])[v_first:v_last], p_groups => (ARRAY[1, 1])[v_first:v_last],
        p_narratives => (ARRAY['Reversed at M-PESA: ' || l.receipt, 'Reversed at M-PESA: ' || l.receipt])[v_first:v_last]
    );
    IF v_post.outcomes[1] <> 'created' THEN
        recovered := 0;
        owed := 0;
        RETURN;
    END IF;
    outcome := 'posted';
    PERFORM set_config('daftari.door', 'open', true);
    INSERT INTO services.mpesa_matches (line_id, transaction_id) VALUES (p_line, v_post.ids[1]);
    PERFORM set_config('daftari.door', '', true);
END
$$;

-- Reopens the last closed period of a short code. Who and why stay with the row; closed again it is a new row.
--
-- After: outcome 'reopened', or 'refused' with reason: unknown_period, period_not_closed, or later_period_closed: what was
--        closed on top of it must be reopened first.
CREATE OR REPLACE FUNCTION services.reopen_mpesa_period(
    p_id uuid, p_by text, p_reason text, OUT outcome text, OUT reason text
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_period services.mpesa_periods;
BEGIN
    SELECT * INTO v_period FROM services.mpesa_periods p WHERE p.id = p_id;
    PERFORM pg_advisory_xact_lock(hashtextextended('services.mpesa_periods ' || coalesce(v_period.short_code, ''), 0));
    SELECT * INTO v_period FROM services.mpesa_periods p WHERE p.id = p_id;
    outcome := 'refused';
    reason := CASE
        WHEN v_period.id IS NULL THEN 'unknown_period'
        WHEN v_period.status <> 'CLOSED' THEN 'period_not_closed'
        WHEN EXISTS (
            SELECT FROM services.mpesa_periods p
             WHERE p.short_code = v_period.short_code AND p.status IN ('CLOSED', 'CLOSING') AND p.to_at > v_period.to_at
        ) THEN 'later_period_closed'
    END;
    IF reason IS NOT NULL THEN
        RETURN;
    END IF;
    PERFORM set_config('daftari.door', 'open', true);
    UPDATE services.mpesa_periods p
       SET status = 'REOPENED', reopened_at = clock_timestamp() AT TIME ZONE 'UTC', reopened_by = coalesce(p_by, session_user),
           reopened_for = p_reason
     WHERE p.id = p_id;
    PERFORM set_config('daftari.door', '', true);
    outcome := 'reopened';
END
$$;

-- ==== end of functions ====

-- ---- Guards ----

CREATE TRIGGER mpesa_periods_never_deleted
    BEFORE DELETE OR TRUNCATE ON services.mpesa_periods
    FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('It is the record of which periods were closed; reopen one with services.reopen_mpesa_period.');
CREATE TRIGGER mpesa_periods_through_the_door
    BEFORE INSERT OR UPDATE ON services.mpesa_periods
    FOR EACH STATEMENT WHEN (current_setting('daftari.door', true) IS DISTINCT FROM 'open')
    EXECUTE FUNCTION core.refuse_write('services.begin_mpesa_period and its like write it, or closePeriod in @repo/db.');

CREATE TRIGGER mpesa_breaks_never_deleted
    BEFORE DELETE OR TRUNCATE ON services.mpesa_breaks
    FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('It is the record of what was open; use a fresh database for trials.');
CREATE TRIGGER mpesa_breaks_through_the_door
    BEFORE INSERT OR UPDATE ON services.mpesa_breaks
    FOR EACH STATEMENT WHEN (current_setting('daftari.door', true) IS DISTINCT FROM 'open')
    EXECUTE FUNCTION core.refuse_write('services.change_mpesa_breaks writes it, or changeBreaks in @repo/db.');

CREATE TRIGGER mpesa_break_events_append_only
    BEFORE DELETE OR UPDATE OR TRUNCATE ON services.mpesa_break_events
    FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('It is the record of who did what about a break.');
CREATE TRIGGER mpesa_break_events_through_the_door
    BEFORE INSERT ON services.mpesa_break_events
    FOR EACH STATEMENT WHEN (current_setting('daftari.door', true) IS DISTINCT FROM 'open')
    EXECUTE FUNCTION core.refuse_write('services.change_mpesa_breaks writes it, or changeBreaks in @repo/db.');
