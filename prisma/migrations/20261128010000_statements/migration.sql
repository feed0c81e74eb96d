-- Statements of M-PESA, and what became of each line of them.
--
-- Before: what M-PESA reported can be compared with its statements by hand only.
-- After:  services.mpesa_statements and mpesa_statement_lines hold the statements that were imported, each line once;
--         mpesa_matches which movement of the ledger a line explains, one for one; mpesa_reconciliations the reports, and
--         mpesa_reconciliation_runs who made them. All of them are written by their functions only.

-- CreateTable
CREATE TABLE "services"."mpesa_statements" (
    "id" UUID NOT NULL,
    "sha256" VARCHAR(64) NOT NULL,
    "form" CHAR(1) NOT NULL,
    "short_code" VARCHAR(20) NOT NULL,
    "account" VARCHAR(100),
    "from_at" TIMESTAMP(3),
    "to_at" TIMESTAMP(3),
    "opening" DECIMAL(19,2),
    "closing" DECIMAL(19,2),
    "stated_paid_in" DECIMAL(19,2),
    "stated_withdrawn" DECIMAL(19,2),
    "paid_in" DECIMAL(19,2) NOT NULL DEFAULT 0,
    "withdrawn" DECIMAL(19,2) NOT NULL DEFAULT 0,
    "first_balance" DECIMAL(19,2),
    "last_balance" DECIMAL(19,2),
    "balance_breaks" INTEGER NOT NULL DEFAULT 0,
    "first_break" INTEGER,
    "rows" INTEGER NOT NULL DEFAULT 0,
    "lines" INTEGER NOT NULL DEFAULT 0,
    "duplicate_lines" INTEGER NOT NULL DEFAULT 0,
    "skipped" INTEGER NOT NULL DEFAULT 0,
    "skipped_rows" TEXT[] DEFAULT ARRAY[]::TEXT[],
    "imported_by" VARCHAR(100) NOT NULL,
    "created_at" TIMESTAMP(3) NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'::text),

    CONSTRAINT "mpesa_statements_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "services"."mpesa_statement_lines" (
    "id" UUID NOT NULL,
    "statement_id" UUID NOT NULL,
    "form" CHAR(1) NOT NULL,
    "row_number" INTEGER NOT NULL,
    "short_code" VARCHAR(20) NOT NULL,
    "account_key" VARCHAR(100) NOT NULL DEFAULT '',
    "receipt" VARCHAR(20) NOT NULL,
    "completed_at" TIMESTAMP(3) NOT NULL,
    "details" TEXT NOT NULL,
    "status" TEXT NOT NULL,
    "is_completed" BOOLEAN NOT NULL,
    "kind" VARCHAR(20) NOT NULL,
    "paid_in" DECIMAL(19,2) NOT NULL,
    "withdrawn" DECIMAL(19,2) NOT NULL,
    "balance" DECIMAL(19,2),
    "reason" TEXT NOT NULL,
    "account" TEXT,
    "phone" VARCHAR(20),
    "payer_name" TEXT,
    "linked_receipt" VARCHAR(20),

    CONSTRAINT "mpesa_statement_lines_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "services"."mpesa_matches" (
    "line_id" UUID NOT NULL,
    "transaction_id" UUID NOT NULL,
    "created_at" TIMESTAMP(3) NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'::text),

    CONSTRAINT "mpesa_matches_pkey" PRIMARY KEY ("line_id")
);

-- CreateTable
CREATE TABLE "services"."mpesa_reconciliations" (
    "id" UUID NOT NULL,
    "short_code" VARCHAR(20) NOT NULL,
    "from_at" TIMESTAMP(3) NOT NULL,
    "to_at" TIMESTAMP(3) NOT NULL,
    "report" TEXT NOT NULL,
    "created_at" TIMESTAMP(3) NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'::text),

    CONSTRAINT "mpesa_reconciliations_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "services"."mpesa_reconciliation_runs" (
    "id" UUID NOT NULL DEFAULT core.new_id(),
    "reconciliation_id" UUID NOT NULL,
    "healed" INTEGER NOT NULL,
    "run_by" VARCHAR(100) NOT NULL,
    "created_at" TIMESTAMP(3) NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'::text),

    CONSTRAINT "mpesa_reconciliation_runs_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "mpesa_statements_short_code_idx" ON "services"."mpesa_statements"("short_code", "from_at");

-- CreateIndex
CREATE INDEX "mpesa_statement_lines_period_idx" ON "services"."mpesa_statement_lines"("short_code", "completed_at");

-- CreateIndex
CREATE INDEX "mpesa_statement_lines_receipt_idx" ON "services"."mpesa_statement_lines"("receipt");

-- CreateIndex
CREATE UNIQUE INDEX "mpesa_matches_transaction_id_key" ON "services"."mpesa_matches"("transaction_id");

-- CreateIndex
CREATE INDEX "mpesa_reconciliations_short_code_idx" ON "services"."mpesa_reconciliations"("short_code", "from_at");

-- CreateIndex
CREATE INDEX "mpesa_reconciliation_runs_reconciliation_id_idx" ON "services"."mpesa_reconciliation_runs"("reconciliation_id");

-- AddForeignKey
ALTER TABLE "services"."mpesa_statement_lines" ADD CONSTRAINT "mpesa_statement_lines_statement_id_fkey" FOREIGN KEY ("statement_id") REFERENCES "services"."mpesa_statements"("id") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "services"."mpesa_matches" ADD CONSTRAINT "mpesa_matches_line_id_fkey" FOREIGN KEY ("line_id") REFERENCES "services"."mpesa_statement_lines"("id") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "services"."mpesa_reconciliation_runs" ADD CONSTRAINT "mpesa_reconciliation_runs_reconciliation_id_fkey" FOREIGN KEY ("reconciliation_id") REFERENCES "services"."mpesa_reconciliations"("id") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- Prisma has no words for an index of some rows: reversals are looked up by the payment that they undo.
CREATE INDEX mpesa_statement_lines_linked_idx ON services.mpesa_statement_lines (linked_receipt)
    WHERE linked_receipt IS NOT NULL;

-- AddCheck
ALTER TABLE services.mpesa_statements
    ADD CONSTRAINT mpesa_statements_form_check CHECK (form IN ('A', 'B', 'C')),
    ADD CONSTRAINT mpesa_statements_rows_check CHECK (rows = lines + duplicate_lines + skipped AND lines >= 0 AND duplicate_lines >= 0 AND skipped >= 0);
ALTER TABLE services.mpesa_statement_lines
    ADD CONSTRAINT mpesa_statement_lines_form_check CHECK (form IN ('A', 'B', 'C')),
    ADD CONSTRAINT mpesa_statement_lines_kind_check CHECK (kind IN ('payment', 'charge', 'sweep', 'reversal', 'payout', 'other')),
    ADD CONSTRAINT mpesa_statement_lines_sides_check CHECK (paid_in >= 0 AND withdrawn >= 0 AND (paid_in = 0 OR withdrawn = 0)),
    ADD CONSTRAINT mpesa_statement_lines_receipt_check CHECK (receipt ~ '^[A-Z0-9]{1,20}$');
ALTER TABLE services.mpesa_reconciliation_runs
    ADD CONSTRAINT mpesa_reconciliation_runs_healed_check CHECK (healed >= 0);

-- ==== functions: written by db:migration, edit prisma/functions instead ====

-- The identity of a statement's line: the same line in two files is one line, whatever form the files have.
--
-- A receipt alone is not enough, for a payment and its charge share one. What tells lines of a receipt apart is the side,
-- the amount and the balance after them; words and times differ between forms. Only a line without a balance is told by
-- its words.
CREATE OR REPLACE FUNCTION services.statement_line_id(
    p_short_code text, p_account_key text, p_receipt text, p_is_completed boolean,
    p_paid_in numeric, p_withdrawn numeric, p_balance numeric, p_details text
)
RETURNS uuid
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $$
    SELECT encode(substr(sha256(convert_to(concat_ws(
        E'\x1f', p_short_code, p_account_key, p_receipt, p_is_completed, p_paid_in, p_withdrawn,
        coalesce(p_balance::text, '-' || lower(p_details))
    ), 'UTF8')), 1, 16), 'hex')::uuid
$$;

-- Adds lines to a statement that services.begin_mpesa_statement began in the same transaction.
--
-- Arrays of equal length, one element a row of the file. Amounts have two decimals, of p_paid_in and p_withdrawn one is 0.
-- After: each line is there once. Of all files that show a line, the first by form, statement and row is the one that is
--        read, so that the order of the imports makes no difference.
--        added: lines that no file had shown before.
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
$$;

-- Begins the import of a statement, or finds the one that was imported before.
--
-- p_sha256: of the file, lower-case hex. The file and the short code together are the statement's identity.
-- p_by: who imports it; NULL stands for the database role.
-- After: imports of one short code go one after the other until the end of the transaction, so that two files that overlap
--        cannot wait for each other's lines. is_known: everything is there already, and nothing is to be added.
CREATE OR REPLACE FUNCTION services.begin_mpesa_statement(
    p_sha256 text, p_short_code text, p_form text, p_account text, p_by text,
    OUT id uuid, OUT is_known boolean
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('services.mpesa_statements ' || p_short_code, 0));
    id := encode(substr(sha256(convert_to(p_sha256 || ' ' || p_short_code, 'UTF8')), 1, 16), 'hex')::uuid;
    is_known := EXISTS (SELECT FROM services.mpesa_statements s WHERE s.id = begin_mpesa_statement.id);
    IF is_known THEN
        RETURN;
    END IF;
    PERFORM set_config('daftari.door', 'open', true);
    INSERT INTO services.mpesa_statements (id, sha256, form, short_code, account, imported_by)
    VALUES (id, p_sha256, p_form, p_short_code, p_account, coalesce(p_by, session_user));
    PERFORM set_config('daftari.door', '', true);
END
$$;

-- What a deposit comes to now: its amount, and the correction that a person posted (see services.resolve_callback).
CREATE OR REPLACE FUNCTION services.deposit_amount(p_receipt text, p_amount numeric)
RETURNS numeric
LANGUAGE sql
STABLE
AS $$
    SELECT p_amount + coalesce((
        SELECT CASE WHEN c.type = 'DEPOSIT' THEN c.amount ELSE -c.amount END
          FROM core.transactions c
         WHERE c.reference = 'CR-' || p_receipt
    ), 0)
$$;

-- Ends the import of a statement: writes what the file stated and what its rows came to, once, in the transaction that
-- began it.
--
-- Before: services.begin_mpesa_statement and all calls of services.add_mpesa_statement_lines.
CREATE OR REPLACE FUNCTION services.finish_mpesa_statement(
    p_id uuid, p_from timestamp, p_to timestamp,
    p_opening numeric, p_closing numeric, p_stated_paid_in numeric, p_stated_withdrawn numeric,
    p_paid_in numeric, p_withdrawn numeric, p_first_balance numeric, p_last_balance numeric,
    p_balance_breaks integer, p_first_break integer,
    p_rows integer, p_lines integer, p_skipped integer, p_skipped_rows text[]
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    UPDATE services.mpesa_statements s
       SET from_at = p_from, to_at = p_to, opening = p_opening, closing = p_closing,
           stated_paid_in = p_stated_paid_in, stated_withdrawn = p_stated_withdrawn,
           paid_in = p_paid_in, withdrawn = p_withdrawn, first_balance = p_first_balance, last_balance = p_last_balance,
           balance_breaks = p_balance_breaks, first_break = p_first_break,
           rows = p_rows, lines = p_lines, skipped = p_skipped, duplicate_lines = p_rows - p_lines - p_skipped,
           skipped_rows = p_skipped_rows
     WHERE s.id = p_id;
    PERFORM set_config('daftari.door', '', true);
END
$$;

-- Writes down which movement of the ledger each line of a period explains. The receipt decides, and nothing else does.
--
-- A payment explains the deposit with its receipt, short code and amount. A reversal explains the reversal of the deposit
-- that it names, with its amount.
-- After: a line explains at most one movement and a movement is explained by at most one line, whoever runs this at the
--        same time: the keys of services.mpesa_matches see to it. matched: how many this call added.
CREATE OR REPLACE FUNCTION services.match_mpesa_lines(
    p_short_code text, p_from timestamp, p_to timestamp, OUT matched integer
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    WITH lines AS (
        SELECT l.id, l.kind, l.receipt, l.linked_receipt, l.paid_in, l.withdrawn, l.short_code
          FROM services.mpesa_statement_lines l
         WHERE l.short_code = p_short_code AND l.completed_at >= p_from AND l.completed_at < p_to
           AND l.is_completed AND l.account_key = '' AND l.kind IN ('payment', 'reversal')
           AND NOT EXISTS (SELECT FROM services.mpesa_matches m WHERE m.line_id = l.id)
    ), payments AS (
        SELECT DISTINCT ON (t.id) l.id AS line_id, t.id AS transaction_id
          FROM lines l
          JOIN core.transactions t ON t.reference = l.receipt AND t.type = 'DEPOSIT'
          JOIN services.mpesa_logs g ON g.mpesa_receipt = l.receipt AND g.short_code = l.short_code
         WHERE l.kind = 'payment'
           AND l.paid_in = services.deposit_amount(p_receipt => l.receipt, p_amount => t.amount)
         ORDER BY t.id, l.id
    ), reversal_lines AS (
        SELECT l.id, l.linked_receipt, l.withdrawn,
               row_number() OVER (PARTITION BY l.linked_receipt, l.withdrawn ORDER BY l.id) AS place
          FROM lines l
         WHERE l.kind = 'reversal' AND l.withdrawn > 0 AND l.linked_receipt IS NOT NULL
    ), reversal_movements AS (
        SELECT r.id, d.reference AS receipt, r.amount,
               row_number() OVER (PARTITION BY d.id, r.amount ORDER BY r.id) AS place
          FROM core.transactions d
          JOIN services.mpesa_logs g ON g.mpesa_receipt = d.reference AND g.short_code = p_short_code
          JOIN core.transactions r ON r.reverses_id = d.id AND r.type = 'REVERSAL' AND r.reference NOT LIKE 'CR-%'
         WHERE d.type = 'DEPOSIT' AND d.reference IN (SELECT l.linked_receipt FROM reversal_lines l)
           AND NOT EXISTS (SELECT FROM services.mpesa_matches m WHERE m.transaction_id = r.id)
    ), found AS (
        SELECT p.line_id, p.transaction_id FROM payments p
        UNION ALL
        SELECT l.id, r.id
          FROM reversal_lines l
          JOIN reversal_movements r
            ON r.receipt = l.linked_receipt AND r.amount = l.withdrawn AND r.place = l.place
    )
    -- In one order, so that two who do this at the same time wait for each other and never in a circle.
    INSERT INTO services.mpesa_matches (line_id, transaction_id)
    SELECT f.line_id, f.transaction_id FROM found f ORDER BY f.line_id
    ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS matched = ROW_COUNT;
    PERFORM set_config('daftari.door', '', true);
END
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
               ELSE 0
           END,
           e.completed_at::timestamp
      FROM explained e
$$;

-- The state of each movement of the float in a period that no line of the period explains: exactly one row a movement.
--
-- Movements are those of the short code's deposits, by the time when they were paid, and those that go out of the ledger or
-- back, by the time when they were posted. The latter have no short code unless they reverse a deposit, and belong to each.
-- A correction belongs to its deposit (services.deposit_amount).
-- state: matched or amount_differs, by a line outside the period; reversed, posted and undone without a line; missing_there.
CREATE OR REPLACE FUNCTION services.mpesa_movement_states(p_short_code text, p_from timestamp, p_to timestamp)
RETURNS TABLE (
    transaction_id uuid, state text, reason text, is_open boolean, reference text, amount numeric, ledger_net numeric,
    happened_at timestamp
)
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $$
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
$$;

-- Keeps a report and the run that made it. p_id comes from the report, so the same report is kept once; each run has a row.
-- p_by: who ran it; NULL stands for the database role. p_healed: payments that the run credited.
CREATE OR REPLACE FUNCTION services.record_mpesa_reconciliation(
    p_id uuid, p_short_code text, p_from timestamp, p_to timestamp, p_report text, p_healed integer, p_by text
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    INSERT INTO services.mpesa_reconciliations (id, short_code, from_at, to_at, report)
    VALUES (p_id, p_short_code, p_from, p_to, p_report)
    ON CONFLICT (id) DO NOTHING;
    INSERT INTO services.mpesa_reconciliation_runs (reconciliation_id, healed, run_by)
    VALUES (p_id, p_healed, coalesce(p_by, session_user));
    PERFORM set_config('daftari.door', '', true);
END
$$;

-- ==== end of functions ====

-- ---- Guards ----

CREATE TRIGGER mpesa_statements_never_deleted
    BEFORE DELETE OR TRUNCATE ON services.mpesa_statements
    FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('It is the record of which statements were imported; use a fresh database for trials.');
CREATE TRIGGER mpesa_statements_through_the_door
    BEFORE INSERT OR UPDATE ON services.mpesa_statements
    FOR EACH STATEMENT WHEN (current_setting('daftari.door', true) IS DISTINCT FROM 'open')
    EXECUTE FUNCTION core.refuse_write('services.begin_mpesa_statement and its like write it, or importStatement in @repo/db.');

CREATE TRIGGER mpesa_statement_lines_never_deleted
    BEFORE DELETE OR TRUNCATE ON services.mpesa_statement_lines
    FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('It is the record of what M-PESA stated; use a fresh database for trials.');
CREATE TRIGGER mpesa_statement_lines_through_the_door
    BEFORE INSERT OR UPDATE ON services.mpesa_statement_lines
    FOR EACH STATEMENT WHEN (current_setting('daftari.door', true) IS DISTINCT FROM 'open')
    EXECUTE FUNCTION core.refuse_write('services.add_mpesa_statement_lines writes it, or importStatement in @repo/db.');

CREATE TRIGGER mpesa_matches_append_only
    BEFORE DELETE OR UPDATE OR TRUNCATE ON services.mpesa_matches
    FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('It is the record of which movement a line explains.');
CREATE TRIGGER mpesa_matches_through_the_door
    BEFORE INSERT ON services.mpesa_matches
    FOR EACH STATEMENT WHEN (current_setting('daftari.door', true) IS DISTINCT FROM 'open')
    EXECUTE FUNCTION core.refuse_write('services.match_mpesa_lines writes it, or reconcile in @repo/db.');

CREATE TRIGGER mpesa_reconciliations_append_only
    BEFORE DELETE OR UPDATE OR TRUNCATE ON services.mpesa_reconciliations
    FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('It is the record of what was reconciled.');
CREATE TRIGGER mpesa_reconciliations_through_the_door
    BEFORE INSERT ON services.mpesa_reconciliations
    FOR EACH STATEMENT WHEN (current_setting('daftari.door', true) IS DISTINCT FROM 'open')
    EXECUTE FUNCTION core.refuse_write('services.record_mpesa_reconciliation writes it, or reconcile in @repo/db.');

CREATE TRIGGER mpesa_reconciliation_runs_append_only
    BEFORE DELETE OR UPDATE OR TRUNCATE ON services.mpesa_reconciliation_runs
    FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('It is the record of who reconciled, and when.');
CREATE TRIGGER mpesa_reconciliation_runs_through_the_door
    BEFORE INSERT ON services.mpesa_reconciliation_runs
    FOR EACH STATEMENT WHEN (current_setting('daftari.door', true) IS DISTINCT FROM 'open')
    EXECUTE FUNCTION core.refuse_write('services.record_mpesa_reconciliation writes it, or reconcile in @repo/db.');
