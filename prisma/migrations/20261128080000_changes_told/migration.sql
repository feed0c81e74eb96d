-- Before: a message that names another wallet flags the payment that its receipt settled, if it comes later; endpoints learn what
--         became of a payment when it was reported.
-- After:  it flags every payment of its receipt, in any order and at the same moment; endpoints also learn what was done about a
--         payment afterwards: assigned, moved, corrected, sent back, or marked as one that goes back. A decision about a message
--         ends the flag that it raised.

CREATE INDEX mpesa_payment_events_receipt_idx ON services.mpesa_payment_events (receipt)
    WHERE kind IN ('SECOND_RECEIPT', 'OTHER_PAYMENT', 'CONFLICT', 'UNPROVEN');

-- ==== functions: written by db:migration, edit prisma/functions instead ====

DROP FUNCTION services.settle_payment(p_id uuid, p_receipt text, p_outcome text, p_original text, p_wallet text, p_merchant_request_id text, p_checkout_request_id text);

-- The default of every id: a UUID version 7 of this moment, to a quarter of a microsecond (RFC 9562, section 6.2, method
-- 3). Of two rows that are written one after the other, in one millisecond too, the later has the higher id: what was
-- decided last about a payment is read by it.
CREATE OR REPLACE FUNCTION core.new_id()
RETURNS uuid
LANGUAGE sql
VOLATILE
AS $$
    -- Each volatile part stands here once, so that PostgreSQL writes the function into the statement that calls it:
    -- 48 bits of milliseconds and 12 of their fraction, between them the version; the variant and 62 random bits.
    SELECT (
        overlay(
            lpad(to_hex((extract(epoch FROM clock_timestamp()) * 4096000)::bigint), 15, '0') PLACING '7' FROM 13 FOR 0
        ) || encode(substring(uuid_send(gen_random_uuid()) FROM 9), 'hex')
    )::uuid
$$;

-- Writes down what changed of a wallet, who wanted it and why. p_actor: NULL for the database role of the session.
--
-- Before: the wallet is locked.
-- After:  the event is later than every other of its wallet, as the change is: a transaction that began first and waited
--         for the lock changes the wallet last. A clock that was set back does not turn them round.
CREATE OR REPLACE FUNCTION core.note_wallet_change(
    p_wallet text, p_column text, p_from text, p_to text, p_reason text, p_actor text
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_last timestamp := (SELECT max(e.created_at) FROM core.wallet_events e WHERE e.wallet_id = p_wallet);
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    INSERT INTO core.wallet_events (wallet_id, lane, changed, old_value, new_value, actor, reason, created_at)
    VALUES (
        p_wallet, core.lane_of(p_wallet), p_column, p_from, p_to, coalesce(p_actor, session_user), p_reason,
        greatest(clock_timestamp() AT TIME ZONE 'UTC', v_last + interval '1 millisecond')
    );
    PERFORM set_config('daftari.door', '', true);
END
$$;

-- Begins to close the books of a period: from here on whatever is posted belongs to the day on which it is posted.
--
-- Periods of a short code are closed in order and without gaps, the first one wherever it begins.
-- Before: nothing is locked. An import of the short code's statements that is under way is waited for: a later one finds the
--         period and is refused.
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
    PERFORM pg_advisory_xact_lock(hashtextextended('services.mpesa_statements ' || p_short_code, 0));
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

-- The payments that a message with this receipt contradicted, for services.refresh_flags.
CREATE OR REPLACE FUNCTION services.contradicted_payments(p_receipt text)
RETURNS uuid[]
LANGUAGE sql
STABLE
AS $$
    SELECT array_agg(DISTINCT e.payment_id)
      FROM services.mpesa_payment_events e
     WHERE e.receipt = p_receipt AND e.kind IN ('CONFLICT', 'UNPROVEN')
$$;

-- Updates which payments wait for a person, after a decision about one of their contradictions.
--
-- A wallet that differs is settled by a correction, and what proved nothing, or was recorded otherwise, by the decision about its
-- message. The rest stays: two receipts of one payment are two, whatever is done about them.
CREATE OR REPLACE FUNCTION services.refresh_flags(p_ids uuid[])
RETURNS void
LANGUAGE plpgsql
VOLATILE
AS $$
DECLARE
    v_door constant text := coalesce(current_setting('daftari.door', true), '');
BEGIN
    PERFORM FROM services.mpesa_payments p WHERE p.id = ANY (p_ids) ORDER BY p.id FOR UPDATE;
    PERFORM set_config('daftari.door', 'open', true);
    UPDATE services.mpesa_payments p
       SET is_flagged = EXISTS (
               SELECT FROM services.mpesa_payment_events e
                WHERE e.payment_id = p.id AND (
                    e.kind IN ('SECOND_RECEIPT', 'OTHER_PAYMENT', 'NOT_ASSIGNED')
                    OR e.kind = 'OTHER_WALLET' AND NOT EXISTS (
                        SELECT FROM services.mpesa_payment_events c
                         WHERE c.payment_id = p.id AND c.kind = 'CORRECTED' AND c.receipt = e.receipt
                    )
                    OR e.kind IN ('CONFLICT', 'UNPROVEN') AND EXISTS (
                        SELECT FROM services.mpesa_callbacks c
                         WHERE c.receipt = e.receipt AND c.outcome IN ('CONFLICT', 'QUARANTINED')
                           AND NOT EXISTS (SELECT FROM services.mpesa_decisions d WHERE d.callback_id = c.id)
                    )
                )
           ),
           updated_at = clock_timestamp() AT TIME ZONE 'UTC'
     WHERE p.id = ANY (p_ids);
    PERFORM set_config('daftari.door', v_door, true);
END
$$;

-- A person moves the money of a receipt of a payment to the other one of two wallets, once: its messages contradict each other
-- (flagged OTHER_WALLET), and it is where the first of them wanted it. Where that was a confirmation, the money goes to the
-- wallet that the payment was asked for; where it was the payment itself, to the wallet that the confirmation named.
-- It is an assignment like one out of suspense: callers that ask where the money of the receipt is find it by
-- core.current_assignment.
--
-- p_receipt: NULL for the payment's own. p_key, p_digest: as for core.reverse_transaction.
-- Locks: the decisions about the receipt; both wallets, in the one global order; then the payment.
-- After: outcome 'posted', 'replayed' when it is in that wallet already or the key was used for this very request, 'key_reused',
--        or 'refused' with reason: unknown_payment, nothing_to_correct, already_assigned (a person moved it to a third wallet),
--        already_reversed, not_correctable (its amount was corrected), or a reason of core.post_transactions: a correction never
--        overdraws. receipt, reference, source, target and amount say what was moved, now or then.
CREATE OR REPLACE FUNCTION services.correct_payment(
    p_id uuid, p_receipt text, p_by text, p_reason text, p_key text, p_digest text,
    OUT outcome text, OUT reason text, OUT receipt text, OUT reference text, OUT source text, OUT target text,
    OUT amount numeric
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    p          services.mpesa_payments;
    t          core.transactions;
    v_assigned record;
    v_current  text; -- the wallet that it was assigned to
    v_receipt  text;
    v_post     record;
BEGIN
    SELECT * INTO p FROM services.mpesa_payments x WHERE x.id = p_id;
    v_receipt := coalesce(p_receipt, p.receipt);
    -- Two people who decide about one receipt decide one after the other.
    PERFORM pg_advisory_xact_lock(hashtextextended('services.mpesa_decisions ' || coalesce(v_receipt, p_id::text), 0));
    SELECT * INTO t FROM core.transactions x WHERE x.reference = v_receipt AND x.type = 'DEPOSIT';
    target := p.wallet_id;
    IF t.credit_wallet_id = p.wallet_id THEN
        SELECT w.wallet_id INTO target
          FROM services.mpesa_witnesses w
         WHERE w.receipt = v_receipt AND w.wallet_id <> p.wallet_id
         ORDER BY w.created_at, w.kind
         LIMIT 1;
    END IF;
    PERFORM core.lock_wallets(ARRAY[target, t.credit_wallet_id]::text[]);
    receipt := v_receipt;
    source := core.account_of(t.credit_wallet_id);
    amount := t.amount;
    outcome := core.find_request(p_key => p_key, p_digest => p_digest);
    IF outcome = 'replayed' THEN
        SELECT q.reason, q.reference INTO reason, reference FROM core.requests q WHERE q.idempotency_key = p_key;
    END IF;
    IF outcome IS NOT NULL THEN
        RETURN;
    END IF;

    SELECT * INTO v_assigned FROM core.current_assignment(v_receipt);
    SELECT x.credit_wallet_id INTO v_current FROM core.transactions x WHERE x.reference = v_assigned.reference;
    reason := CASE
        WHEN p.id IS NULL THEN 'unknown_payment'
        WHEN t.id IS NULL OR source = 'SUSPENSE' OR target IS NULL
             OR NOT EXISTS (
                 SELECT FROM services.mpesa_payment_events e
                  WHERE e.payment_id = p_id AND e.kind = 'OTHER_WALLET' AND e.receipt = v_receipt
             )
             OR EXISTS (SELECT FROM services.mpesa_payments o WHERE o.receipt = v_receipt AND o.id <> p_id)
            THEN 'nothing_to_correct'
        WHEN v_current <> target THEN 'already_assigned'
        WHEN v_current IS NOT NULL THEN NULL
        WHEN core.remaining_of(t.id) < t.amount THEN 'already_reversed'
        WHEN EXISTS (SELECT FROM core.transactions x WHERE x.reference = 'CR-' || v_receipt) THEN 'not_correctable'
    END;
    IF reason IS NULL AND v_current IS NOT NULL THEN
        outcome := 'replayed';
        reference := v_assigned.reference;
    ELSIF reason IS NULL THEN
        SELECT * INTO v_post FROM core.post_transactions(
            p_references => ARRAY[v_assigned.next_reference], p_types => ARRAY['ASSIGNMENT'],
            p_debits => ARRAY[t.credit_wallet_id]::text[], p_credits => ARRAY[target]::text[], p_fallbacks => NULL,
            p_amounts => ARRAY[t.amount], p_currencies => ARRAY[t.currency::text],
            p_narratives => ARRAY['Correction: M-PESA payment ' || v_receipt || ' went to the wrong wallet']
        );
        IF v_post.outcomes[1] NOT IN ('created', 'refused') THEN
            RAISE EXCEPTION 'the correction met another one: %', v_post.outcomes[1] USING ERRCODE = '40001';
        END IF;
        outcome := 'posted';
        reason := v_post.reasons[1];
        reference := v_assigned.next_reference;
    END IF;
    IF reason IS NOT NULL THEN
        outcome := 'refused';
        reference := NULL;
        PERFORM core.refuse_request(p_key => p_key, p_digest => p_digest, p_reason => reason);
        RETURN;
    END IF;

    IF outcome = 'posted' THEN
        PERFORM FROM services.mpesa_payments x WHERE x.id = p_id FOR UPDATE;
        PERFORM services.note_payment(p_id => p_id, p_kind => 'CORRECTED', p_receipt => v_receipt);
    END IF;
    PERFORM set_config('daftari.door', 'open', true);
    IF outcome = 'posted' THEN
        INSERT INTO services.mpesa_decisions (receipt, decision, reason, decided_by, reference)
        VALUES (v_receipt, 'MOVED', p_reason, p_by, v_assigned.next_reference);
        -- What else contradicts something still waits for a person.
        PERFORM services.refresh_flags(ARRAY[p_id]);
    END IF;
    INSERT INTO core.requests (idempotency_key, digest, outcome, reference)
    VALUES (p_key, p_digest, 'POSTED', coalesce(reference, v_receipt));
    PERFORM set_config('daftari.door', '', true);
END
$$;

-- Ends the closing that services.begin_mpesa_period began.
--
-- p_report: the report with which the period is closed; NULL when its totals do not agree.
-- Locks: the periods of the short code, as services.begin_mpesa_period does; else one that begins meanwhile, and has seen no
--        closed period, closes it a second time.
-- After: is_closed. The period is CLOSED or REFUSED; one that somebody else has given up meanwhile stays what it is.
CREATE OR REPLACE FUNCTION services.end_mpesa_period(
    p_id uuid, p_report uuid, p_closing numeric, p_float numeric, p_items text, OUT is_closed boolean
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('services.mpesa_periods ' || p.short_code, 0))
       FROM services.mpesa_periods p
      WHERE p.id = p_id;
    PERFORM set_config('daftari.door', 'open', true);
    UPDATE services.mpesa_periods p
       SET status = CASE WHEN p_report IS NULL THEN 'REFUSED' ELSE 'CLOSED' END,
           report_id = p_report, closing = p_closing, "float" = p_float, items = p_items
     WHERE p.id = p_id AND p.status = 'CLOSING';
    is_closed := FOUND AND p_report IS NOT NULL;
    PERFORM set_config('daftari.door', '', true);
END
$$;

-- Locks what is recorded of receipts, in their order, until the caller commits: what two messages say about one receipt is compared
-- one after the other. Receipts come after wallets and before payments.
CREATE OR REPLACE FUNCTION services.lock_receipts(p_receipts text[])
RETURNS void
LANGUAGE plpgsql
VOLATILE
AS $$
BEGIN
    PERFORM FROM services.mpesa_logs l
      WHERE l.mpesa_receipt = ANY (p_receipts)
      ORDER BY l.mpesa_receipt
        FOR NO KEY UPDATE;
END
$$;

-- Flags OTHER_WALLET each payment of a receipt whose money went to another wallet than the one that it was asked for, or of which
-- a message names another one: the money stays where it is. For whatever records a witness or the receipt of a payment.
--
-- A payment is one of a receipt that settled it, that came second for it, or that it shares with another payment.
-- Locks: the receipts, so that a witness and a payment of one receipt that are recorded at the same moment see each other; then the
-- payments, in order of their ids.
CREATE OR REPLACE FUNCTION services.flag_other_wallets(p_receipts text[])
RETURNS void
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
SET enable_nestloop = on
AS $$
DECLARE
    v_posted   text[];
    v_credited text[];
    v_flagged  record;
BEGIN
    PERFORM services.lock_receipts(p_receipts);
    SELECT array_agg(t.reference::text), array_agg(core.account_of(t.credit_wallet_id))
      INTO v_posted, v_credited
      FROM core.transactions t
     WHERE t.reference = ANY (p_receipts);
    FOR v_flagged IN
        SELECT p.id, r.receipt
          FROM (
            SELECT o.receipt, o.id FROM services.mpesa_payments o WHERE o.receipt = ANY (p_receipts)
             UNION
            SELECT e.receipt, e.payment_id
              FROM services.mpesa_payment_events e
             WHERE e.receipt = ANY (p_receipts) AND e.kind IN ('SECOND_RECEIPT', 'OTHER_PAYMENT')
          ) r
          JOIN services.mpesa_payments p ON p.id = r.id
         WHERE EXISTS (
             SELECT FROM services.mpesa_witnesses w WHERE w.receipt = r.receipt AND w.wallet_id <> p.wallet_id
         ) OR EXISTS (
             SELECT FROM unnest(v_posted, v_credited) AS t (receipt, wallet)
              WHERE t.receipt = r.receipt AND t.wallet NOT IN (p.wallet_id, 'SUSPENSE')
         )
         ORDER BY p.id, r.receipt
    LOOP
        PERFORM FROM services.mpesa_payments p WHERE p.id = v_flagged.id FOR UPDATE;
        PERFORM services.flag_payment(
            p_id => v_flagged.id, p_kind => 'OTHER_WALLET', p_reason => NULL, p_receipt => v_flagged.receipt
        );
    END LOOP;
END
$$;

-- Queues the event that something was done about a payment that is recorded already. For services.queue_movement_webhook and for
-- what people decide, where there is an endpoint.
--
-- p_outcome: what was done, the second word of the event's type. p_amount: what moved, or what it is about.
-- p_wallet, p_from: the wallets that got the money and gave it; NULL where that is nobody's wallet. p_reference: of the movement.
CREATE OR REPLACE FUNCTION services.queue_change_webhook(
    p_receipt text, p_outcome text, p_amount numeric, p_currency text, p_wallet text, p_from text, p_reference text,
    p_reason text, p_at timestamp
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
AS $$
DECLARE
    v_data jsonb;
BEGIN
    SELECT jsonb_build_object(
               'receipt', p_receipt, 'outcome', p_outcome, 'amount', round(p_amount, 2)::text, 'currency', p_currency,
               'wallet', p_wallet, 'from', p_from, 'reference', p_reference, 'reason', p_reason,
               -- What a correction added can be sent back, too.
               'remaining', (
                   SELECT round(sum(core.remaining_of(t.id)), 2)::text
                     FROM core.transactions t
                    WHERE t.reference IN (p_receipt, 'CR-' || p_receipt) AND t.type = 'DEPOSIT'
               ),
               'shortCode', l.short_code, 'paidAt', services.webhook_time(l.paid_at),
               'recordedAt', services.webhook_time(p_at)
           )
      INTO v_data
      -- A payment from before the ledger has no log.
      FROM (SELECT) AS one
      LEFT JOIN services.mpesa_logs l ON l.mpesa_receipt = p_receipt;
    PERFORM services.queue_webhooks(p_types => ARRAY['deposit.' || p_outcome], p_data => ARRAY[v_data]);
END
$$;

-- A person marks a payment in suspense as one that goes back to its payer, or takes the mark away. No money moves: the refund is
-- made at M-PESA, and the reversal of the deposit writes it into the ledger.
--
-- p_decision: REFUND or NO_REFUND. p_key, p_digest: as for core.reverse_transaction.
-- After: outcome 'noted'; 'replayed' when it is so marked already, or the key was used for this very request; 'key_reused'; or
--        'refused' with reason: unknown_transaction, not_in_suspense, already_reversed, already_assigned.
CREATE OR REPLACE FUNCTION services.mark_refund(
    p_receipt text, p_decision text, p_by text, p_reason text, p_key text, p_digest text,
    OUT outcome text, OUT reason text
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t      core.transactions;
    v_last text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('services.mpesa_decisions ' || p_receipt, 0));
    outcome := core.find_request(p_key => p_key, p_digest => p_digest);
    IF outcome = 'replayed' THEN
        SELECT q.reason INTO reason FROM core.requests q WHERE q.idempotency_key = p_key;
    END IF;
    IF outcome IS NOT NULL THEN
        RETURN;
    END IF;

    SELECT * INTO t FROM core.transactions x WHERE x.reference = p_receipt AND x.type = 'DEPOSIT';
    SELECT d.decision INTO v_last
      FROM services.mpesa_decisions d
     WHERE d.receipt = p_receipt AND d.decision IN ('REFUND', 'NO_REFUND')
     ORDER BY d.id DESC
     LIMIT 1;
    reason := CASE
        WHEN t.id IS NULL THEN 'unknown_transaction'
        WHEN core.account_of(t.credit_wallet_id) <> 'SUSPENSE' THEN 'not_in_suspense'
        WHEN (SELECT a.reference FROM core.current_assignment(p_receipt) AS a) IS NOT NULL THEN 'already_assigned'
        WHEN core.remaining_of(t.id) <= 0 THEN 'already_reversed'
    END;
    IF reason IS NOT NULL THEN
        outcome := 'refused';
        PERFORM core.refuse_request(p_key => p_key, p_digest => p_digest, p_reason => reason);
        RETURN;
    END IF;

    outcome := CASE WHEN coalesce(v_last, 'NO_REFUND') = p_decision THEN 'replayed' ELSE 'noted' END;
    PERFORM set_config('daftari.door', 'open', true);
    IF outcome = 'noted' THEN
        INSERT INTO services.mpesa_decisions (receipt, decision, reason, decided_by)
        VALUES (p_receipt, p_decision, p_reason, p_by);
        IF EXISTS (SELECT FROM services.webhooks w WHERE w.status = 'ACTIVE') THEN
            PERFORM services.queue_change_webhook(
                p_receipt => p_receipt,
                p_outcome => CASE p_decision WHEN 'REFUND' THEN 'refund_marked' ELSE 'refund_unmarked' END,
                p_amount => core.remaining_of(t.id), p_currency => t.currency, p_wallet => NULL, p_from => NULL,
                p_reference => NULL, p_reason => NULL, p_at => clock_timestamp() AT TIME ZONE 'UTC'
            );
        END IF;
    END IF;
    INSERT INTO core.requests (idempotency_key, digest, outcome, reference)
    VALUES (p_key, p_digest, 'POSTED', p_receipt);
    PERFORM set_config('daftari.door', '', true);
END
$$;

-- Writes down which movement of the ledger each line of a period explains. The receipt decides, and nothing else does.
--
-- A payment explains the deposit with its receipt, short code and amount; a log from before the ledger has no short
-- code. A reversal explains the reversal of the deposit that it names, with its amount.
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
          JOIN services.mpesa_logs g ON g.mpesa_receipt = l.receipt AND coalesce(g.short_code, l.short_code) = l.short_code
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
               g.id AS logged, g.outcome AS log_outcome,
               -- A log from before the ledger does not say.
               CASE WHEN g.id IS NOT NULL THEN coalesce(g.short_code, l.short_code) END AS log_short_code,
               -- Other lines are found by their receipts: see services.post_mpesa_lines.
               CASE WHEN t.id IS NOT NULL THEN services.deposit_amount(p_receipt => l.receipt, p_amount => t.amount) END AS due,
               EXISTS (
                   SELECT FROM services.mpesa_statement_lines r
                    WHERE l.kind = 'payment' AND r.short_code || '' = l.short_code AND r.kind = 'reversal' AND r.is_completed
                      AND r.linked_receipt = l.receipt AND r.withdrawn = l.paid_in
               ) AS is_taken_back,
               EXISTS (
                   SELECT FROM core.transactions o WHERE l.kind = 'reversal' AND o.reference = l.linked_receipt
               ) AS original_is_here,
               EXISTS (
                   SELECT FROM services.mpesa_statement_lines p
                    WHERE l.kind = 'reversal' AND p.receipt = l.linked_receipt AND p.short_code || '' = l.short_code
               ) AS original_is_shown
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
                       WHEN NOT j.original_is_shown THEN 'original_unknown'
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
        SELECT m.*, x.line_id AS explained, coalesce(own.completed_at, l.completed_at) AS completed_at,
               coalesce(own.paid_in, l.paid_in) AS paid_in,
               coalesce((
                   SELECT sum(r.amount)
                     FROM core.transactions r
                    WHERE r.reverses_id = m.original AND r.reference NOT LIKE 'CR-%'
               ), 0) = m.original_amount AND NOT EXISTS (
                   SELECT FROM services.mpesa_statement_lines p
                    WHERE p.receipt = m.receipt AND p.short_code || '' = p_short_code AND p.kind = 'payment' AND p.is_completed
               ) AS is_undone
          FROM movements m
          LEFT JOIN services.mpesa_matches x ON x.transaction_id = m.id
          LEFT JOIN services.mpesa_statement_lines own ON own.id = x.line_id
          -- Each of the two by an index of its own: one condition for both would read every line for each movement. By the
          -- receipt: see services.post_mpesa_lines.
          LEFT JOIN LATERAL (
            SELECT p.completed_at, p.paid_in
              FROM services.mpesa_statement_lines p
             WHERE x.line_id IS NULL AND m.type = 'DEPOSIT' AND p.receipt = m.receipt AND p.short_code || '' = p_short_code
               AND p.kind = 'payment' AND p.is_completed AND p.account_key = ''
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
         WHERE b.state <> EXCLUDED.state OR b.why IS DISTINCT FROM EXCLUDED.why OR b.amount <> EXCLUDED.amount
            OR b.ledger_amount IS DISTINCT FROM EXCLUDED.ledger_amount OR b.is_explained
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

-- What M-PESA answered when it was asked what became of a payment. The answer names no receipt and no amount, so it
-- credits nothing.
--
-- p_verdict: FAILED     it will not be paid, as far as M-PESA knows now
--            CONFIRMED  it was paid: PAID where exactly one deposit can be it, otherwise we wait for the receipt
--            OPEN       nothing is decided, or nobody answered
-- p_due_ms: when to ask again; NULL at the end, when the payment becomes UNKNOWN.
CREATE OR REPLACE FUNCTION services.note_payment_query(
    p_id uuid, p_verdict text, p_reason text, p_result_code text, p_due_ms integer
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    p         services.mpesa_payments;
    v_receipt text;
BEGIN
    SELECT * INTO p FROM services.mpesa_payments x WHERE x.id = p_id FOR UPDATE;
    IF p.id IS NULL OR p.status IN ('PAID', 'FAILED') THEN
        RETURN;
    END IF;
    IF p_verdict = 'FAILED' THEN
        PERFORM services.change_payment(
            p_id => p_id, p_status => 'FAILED', p_reason => p_reason, p_result_code => p_result_code
        );
        PERFORM services.note_payment(
            p_id => p_id, p_kind => 'FAILED', p_reason => p_reason, p_result_code => p_result_code
        );
        RETURN;
    END IF;
    IF p_verdict = 'CONFIRMED' THEN
        v_receipt := services.receipt_of_payment(p_id);
        IF v_receipt IS NOT NULL THEN
            PERFORM services.change_payment(
                p_id => p_id, p_status => 'PAID', p_result_code => p_result_code, p_receipt => v_receipt
            );
            PERFORM services.note_payment(
                p_id => p_id, p_kind => 'PAID', p_reason => 'matched', p_result_code => p_result_code,
                p_receipt => v_receipt
            );
            PERFORM services.flag_other_wallets(ARRAY[v_receipt]);
            RETURN;
        END IF;
    END IF;
    PERFORM services.change_payment(
        p_id => p_id, p_status => CASE WHEN p_due_ms IS NULL THEN 'UNKNOWN' ELSE p.status END,
        p_reason => CASE
            WHEN p_verdict = 'CONFIRMED' THEN 'paid_without_receipt'
            WHEN p_due_ms IS NULL THEN 'no_result'
            ELSE p.reason
        END,
        p_result_code => p_result_code, p_due_ms => p_due_ms
    );
    -- Of many questions without an answer the first and the last are enough.
    IF p_due_ms IS NULL OR p.checks = 1 OR p_verdict = 'CONFIRMED' AND p.reason IS DISTINCT FROM 'paid_without_receipt' THEN
        PERFORM services.note_payment(
            p_id => p_id, p_kind => CASE WHEN p_due_ms IS NULL THEN 'UNKNOWN' ELSE 'ASKED' END,
            p_reason => CASE WHEN p_verdict = 'CONFIRMED' THEN 'paid_without_receipt' ELSE p_reason END,
            p_result_code => p_result_code
        );
    END IF;
END
$$;

-- Keeps what further messages told of receipts that are recorded, one row for each kind of message: a C2B confirmation knows
-- the account and the name, the callback of a request the whole number. For services.record_deposits.
--
-- Arrays of equal length; p_outcomes as services.record_deposits answers them. A repeat of the message that was recorded
-- first tells nothing new, unless it names another account. A message whose account names another wallet than the one that was credited may contradict a payment that
-- we asked for: services.flag_other_wallets.
CREATE OR REPLACE FUNCTION services.note_witnesses(
    p_receipts text[], p_outcomes text[], p_kinds text[], p_amounts numeric[], p_short_codes text[], p_accounts text[],
    p_phones text[], p_phone_hashes text[], p_names text[]
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
SET enable_nestloop = on
AS $$
DECLARE
    v_named text[]; -- receipts of which a message names another wallet
BEGIN
    WITH told AS (
        INSERT INTO services.mpesa_witnesses (
            receipt, kind, amount, short_code, account, phone, phone_hash, payer_name, wallet_id
        )
        SELECT DISTINCT ON (t.receipt, t.kind)
               t.receipt, t.kind, t.amount, t.short_code, t.account, t.phone, t.phone_hash, t.name,
               nullif(coalesce(r.wallet_id, services.wallet_of_payment(
                   p_account => t.account, p_phone => t.phone, p_phone_hash => t.phone_hash
               )), core.account_of(x.credit_wallet_id))
          FROM unnest(
            p_receipts, p_outcomes, p_kinds, p_amounts, p_short_codes, p_accounts, p_phones, p_phone_hashes, p_names
          ) WITH ORDINALITY AS t (receipt, outcome, kind, amount, short_code, account, phone, phone_hash, name, ord)
          LEFT JOIN core.transactions x ON x.reference = t.receipt
         CROSS JOIN LATERAL core.route_account(t.account) AS r
         WHERE t.outcome IN ('duplicate', 'conflict') AND t.amount < 100000000000000000
           AND NOT EXISTS (
               SELECT FROM services.mpesa_callbacks c
                WHERE c.receipt = t.receipt AND c.kind = t.kind AND c.outcome IN ('CREDITED', 'SUSPENSE', 'HELD')
                  AND NOT EXISTS (
                      SELECT FROM services.mpesa_logs l
                       WHERE l.mpesa_receipt = t.receipt AND coalesce(l.account, '') <> coalesce(t.account, '')
                  )
           )
         ORDER BY t.receipt, t.kind, t.ord
        ON CONFLICT (receipt, kind) DO NOTHING
        RETURNING receipt, wallet_id
    )
    SELECT array_agg(DISTINCT told.receipt::text) INTO v_named FROM told WHERE told.wallet_id IS NOT NULL;
    IF v_named IS NOT NULL THEN
        PERFORM services.flag_other_wallets(v_named);
        -- Flagging has closed it, and the caller has more to write.
        PERFORM set_config('daftari.door', 'open', true);
    END IF;
END
$$;

-- Posts M-PESA's charges and what was settled to the bank, as its statements show them, each line once.
--
-- A charge moves between MPESA-FLOAT and CHARGES, a sweep between MPESA-FLOAT and BANK: what M-PESA no longer holds has been
-- paid to it, or is at the bank. Both wallets stand for the world outside and have no floor.
--
-- p_after_at, p_after_id: where the page before this one ended; p_limit: lines of a page.
-- After: each line of the page has its movement, and explains it. The movement's reference comes from the line's identity, so
--        that a call at the same moment finds it taken. posted: how many this call made. last_at, last_id: where the page
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
           -- A file without balances may show what another file shows with them: that is one charge, and two lines. They are
           -- found by the receipt: || keeps the planner, who knows nothing of the table right after an import, from reading
           -- all lines of the short code for each.
           AND NOT EXISTS (
               SELECT FROM services.mpesa_statement_lines o
                WHERE o.receipt = l.receipt AND o.short_code || '' = l.short_code AND o.account_key = '' AND o.kind = l.kind
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

-- Queues the event that the money of a deposit has moved on: assigned out of suspense, moved to another wallet, sent back or
-- corrected. For services.tell_of_transaction, which sees every reversal and assignment, whichever way it was posted. The
-- reversal of anything but a deposit's money is no event.
CREATE OR REPLACE FUNCTION services.queue_movement_webhook(p_movement core.transactions)
RETURNS void
LANGUAGE plpgsql
VOLATILE
AS $$
DECLARE
    v_from    constant text := core.account_of(p_movement.debit_wallet_id);
    v_to      constant text := core.account_of(p_movement.credit_wallet_id);
    o         core.transactions; -- what it reverses
    v_outcome text;
BEGIN
    IF NOT EXISTS (SELECT FROM services.webhooks w WHERE w.status = 'ACTIVE') THEN
        RETURN;
    END IF;
    SELECT * INTO o FROM core.transactions t WHERE t.id = p_movement.reverses_id;
    v_outcome := CASE
        WHEN p_movement.type = 'ASSIGNMENT' AND v_from = 'SUSPENSE' THEN 'assigned'
        WHEN p_movement.type = 'ASSIGNMENT' THEN 'moved'
        WHEN o.type = 'ASSIGNMENT' AND v_to = 'SUSPENSE' THEN 'suspense'
        WHEN o.type = 'ASSIGNMENT' THEN 'moved'
        WHEN o.type = 'DEPOSIT' AND p_movement.reference = 'CR-' || o.reference THEN 'corrected'
        WHEN o.type = 'DEPOSIT' THEN 'reversed'
    END;
    IF v_outcome IS NULL THEN
        RETURN;
    END IF;
    PERFORM services.queue_change_webhook(
        p_receipt => regexp_replace(coalesce(o.reference, p_movement.reference), '^(AS[0-9]*|CR)-', ''),
        p_outcome => v_outcome, p_amount => p_movement.amount, p_currency => p_movement.currency,
        p_wallet => (SELECT w.id FROM core.wallets w WHERE w.id = v_to AND w.kind = 'CUSTOMER'),
        p_from => (SELECT w.id FROM core.wallets w WHERE w.id = v_from AND w.kind = 'CUSTOMER'),
        p_reference => p_movement.reference,
        p_reason => CASE WHEN o.type = 'ASSIGNMENT' THEN 'assignment_reversed' WHEN v_from = 'RECEIVABLES' THEN 'owed' END,
        p_at => p_movement.created_at
    );
END
$$;

-- A receipt of a payment was recorded; this says what that means for the payment. For services.record_payments.
--
-- p_outcome, p_original: of services.record_deposits. The first receipt settles the payment, whatever was thought
-- of it. What does not agree with what we asked for moves no money and is flagged:
--   SECOND_RECEIPT    it had a receipt before: this is a second deposit
--   OTHER_PAYMENT     another payment of ours has this receipt
--   OTHER_WALLET      the receipt was credited to another wallet before, or a message named another one
--                     (services.flag_other_wallets)
--   CONFLICT          the receipt is recorded with another amount or short code
CREATE OR REPLACE FUNCTION services.settle_payment(
    p_id uuid, p_receipt text, p_outcome text, p_original text,
    p_merchant_request_id text, p_checkout_request_id text
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
AS $$
DECLARE
    p           services.mpesa_payments;
    v_is_moved  boolean := p_outcome <> 'refused' AND p_outcome <> 'conflict';
    v_must_move boolean := v_is_moved AND p_outcome = 'duplicate' AND p_original = 'suspense';
BEGIN
    -- Receipts before payments, as services.flag_other_wallets takes them.
    PERFORM services.lock_receipts(ARRAY[p_receipt]);
    SELECT * INTO p FROM services.mpesa_payments x WHERE x.id = p_id FOR UPDATE;
    PERFORM services.name_payment(
        p_id => p_id, p_merchant_request_id => p_merchant_request_id, p_checkout_request_id => p_checkout_request_id
    );
    IF p.id IS NULL OR p.receipt = p_receipt THEN
        RETURN;
    END IF;
    IF NOT v_is_moved THEN
        PERFORM services.change_payment(p_id => p_id, p_status => 'UNKNOWN', p_reason => p_outcome);
        PERFORM services.flag_payment(
            p_id => p_id, p_kind => upper(p_outcome), p_reason => NULL, p_receipt => p_receipt
        );
    ELSIF EXISTS (SELECT FROM services.mpesa_payments o WHERE o.receipt = p_receipt) THEN
        PERFORM services.flag_payment(p_id => p_id, p_kind => 'OTHER_PAYMENT', p_reason => NULL, p_receipt => p_receipt);
    ELSIF p.receipt IS NOT NULL THEN
        PERFORM services.flag_payment(p_id => p_id, p_kind => 'SECOND_RECEIPT', p_reason => NULL, p_receipt => p_receipt);
    ELSE
        PERFORM services.change_payment(
            p_id => p_id, p_status => 'PAID', p_result_code => '0', p_receipt => p_receipt,
            p_reason => CASE WHEN 'held' IN (p_outcome, p_original) THEN 'held' END,
            p_due_ms => CASE WHEN v_must_move THEN 0 END
        );
        PERFORM services.note_payment(
            p_id => p_id, p_kind => 'PAID', p_reason => CASE WHEN p.status = 'FAILED' THEN 'late' END,
            p_result_code => '0', p_receipt => p_receipt
        );
    END IF;
    IF v_is_moved THEN
        PERFORM services.flag_other_wallets(ARRAY[p_receipt]);
    END IF;
END
$$;

-- Records receipts of payments that we asked for: each is a deposit like any other, through services.record_deposits, and
-- settles its payment in the same transaction.
--
-- The arrays are those of services.record_deposits, with for each element the payment that it settles (NULL for none), and
-- what M-PESA calls it.
-- Locks: the wallets of the batch, as always; then the payments. Batches that share a payment share its wallet.
CREATE OR REPLACE FUNCTION services.record_payments(
    p_payments     uuid[],
    p_merchants    text[],
    p_checkouts    text[],
    p_receipts     text[],
    p_amounts      numeric[],
    p_short_codes  text[],
    p_accounts     text[],
    p_paid_at      timestamp[],
    p_phones       text[],
    p_phone_hashes text[],
    p_names        text[],
    p_payloads     text[],
    p_kinds        text[],
    p_sources      text[],
    p_body_starts  integer[],
    p_body_lengths integer[],
    p_bodies       bytea,
    p_max_amount   numeric DEFAULT NULL
)
RETURNS TABLE (
    ord integer, outcome text, original text, reason text, suggestions text,
    wallet text, transaction_id uuid, amount numeric, balance_after numeric,
    created_at timestamp, verification_hash text, recorded_short_code text
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    r record;
BEGIN
    FOR r IN
        SELECT d.* FROM services.record_deposits(
            p_receipts => p_receipts, p_amounts => p_amounts, p_short_codes => p_short_codes, p_accounts => p_accounts,
            p_paid_at => p_paid_at, p_phones => p_phones, p_phone_hashes => p_phone_hashes, p_names => p_names,
            p_payloads => p_payloads, p_kinds => p_kinds, p_sources => p_sources, p_body_starts => p_body_starts,
            p_body_lengths => p_body_lengths, p_bodies => p_bodies, p_max_amount => p_max_amount
        ) AS d
         ORDER BY d.ord
    LOOP
        IF p_payments[r.ord] IS NOT NULL THEN
            PERFORM services.settle_payment(
                p_id => p_payments[r.ord], p_receipt => p_receipts[r.ord], p_outcome => r.outcome,
                p_original => r.original, p_merchant_request_id => p_merchants[r.ord],
                p_checkout_request_id => p_checkouts[r.ord]
            );
        END IF;
        PERFORM services.close_inquiry(p_receipt => p_receipts[r.ord], p_status => 'PROVED', p_reason => r.outcome);
        ord := r.ord; outcome := r.outcome; original := r.original; reason := r.reason; suggestions := r.suggestions;
        wallet := r.wallet; transaction_id := r.transaction_id; amount := r.amount; balance_after := r.balance_after;
        created_at := r.created_at; verification_hash := r.verification_hash;
        recorded_short_code := r.recorded_short_code;
        RETURN NEXT;
    END LOOP;
END
$$;

-- What a person decides about a payment that is kept and not posted: one above the limit, or one that was logged and
-- has no transaction. It is posted as any other payment is, once, or put aside.
--
-- p_decision: RELEASED or REJECTED. Who was put aside can be released later; what is posted stays posted.
-- p_key, p_digest: as for core.reverse_transaction.
-- After: outcome 'posted' (or 'noted', for a rejection), 'replayed' when it was decided so before or the key was used for
--        this very request, 'key_reused', or 'refused' with reason: unknown_transaction (no such payment was ever
--        logged), already_posted, invalid_amount. reference is the receipt.
CREATE OR REPLACE FUNCTION services.release_deposit(
    p_receipt text, p_decision text, p_by text, p_reason text, p_key text, p_digest text,
    OUT outcome text, OUT reason text
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    l        services.mpesa_logs;
    v_last   text;
    v_id     uuid;
    v_result text;
BEGIN
    -- Two people who decide about one payment decide one after the other.
    PERFORM pg_advisory_xact_lock(hashtextextended('services.mpesa_decisions ' || p_receipt, 0));
    outcome := core.find_request(p_key => p_key, p_digest => p_digest);
    IF outcome = 'replayed' THEN
        SELECT q.reason INTO reason FROM core.requests q WHERE q.idempotency_key = p_key;
    END IF;
    IF outcome IS NOT NULL THEN
        RETURN;
    END IF;

    SELECT * INTO l FROM services.mpesa_logs x WHERE x.mpesa_receipt = p_receipt;
    SELECT d.decision INTO v_last
      FROM services.mpesa_decisions d
     WHERE d.receipt = p_receipt AND d.decision IN ('RELEASED', 'REJECTED')
     ORDER BY d.id DESC
     LIMIT 1;
    outcome := CASE WHEN v_last = p_decision THEN 'replayed' END;
    reason := CASE
        WHEN outcome IS NOT NULL THEN NULL
        WHEN l.id IS NULL THEN 'unknown_transaction'
        WHEN EXISTS (SELECT FROM core.transactions t WHERE t.reference = p_receipt) THEN 'already_posted'
        WHEN p_decision = 'RELEASED' AND l.amount > 1000000000000 THEN 'invalid_amount'
    END;
    IF reason IS NOT NULL THEN
        outcome := 'refused';
        PERFORM core.refuse_request(p_key => p_key, p_digest => p_digest, p_reason => reason);
        RETURN;
    END IF;

    IF outcome IS NULL THEN
        outcome := CASE WHEN p_decision = 'RELEASED' THEN 'posted' ELSE 'noted' END;
        IF p_decision = 'RELEASED' THEN
            SELECT r.outcome INTO v_result
              FROM services.record_deposits(
                  p_receipts => ARRAY[l.mpesa_receipt::text], p_amounts => ARRAY[l.amount],
                  p_short_codes => ARRAY[coalesce(l.short_code, '')::text],
                  p_accounts => ARRAY[coalesce(l.account, '')], p_paid_at => ARRAY[l.paid_at],
                  p_phones => ARRAY[l.phone::text], p_phone_hashes => ARRAY[l.phone_hash::text],
                  p_names => ARRAY[l.payer_name], p_payloads => ARRAY['{}'], p_kinds => ARRAY['RELEASE'],
                  p_sources => ARRAY[NULL]::text[], p_body_starts => ARRAY[1],
                  p_body_lengths => ARRAY[octet_length(convert_to(p_by, 'UTF8'))],
                  p_bodies => convert_to(p_by, 'UTF8'), p_is_release => true
              ) AS r;
            IF v_result NOT IN ('credited', 'suspense') THEN
                RAISE EXCEPTION 'the payment was not posted: %', v_result USING ERRCODE = '40001';
            END IF;
            -- A payment that we asked for was settled by it before anybody was credited.
            PERFORM services.flag_other_wallets(ARRAY[p_receipt]);
            IF v_result = 'suspense' THEN
                PERFORM set_config('daftari.door', 'open', true);
                UPDATE services.mpesa_payments p SET due_at = clock_timestamp() AT TIME ZONE 'UTC' WHERE p.receipt = p_receipt;
            END IF;
        END IF;
        SELECT c.id INTO v_id
          FROM services.mpesa_callbacks c
         WHERE c.receipt = p_receipt AND c.outcome = 'HELD';
        PERFORM set_config('daftari.door', 'open', true);
        INSERT INTO services.mpesa_decisions (callback_id, receipt, decision, reason, decided_by)
        VALUES (v_id, p_receipt, p_decision, p_reason, p_by);
    END IF;
    PERFORM set_config('daftari.door', 'open', true);
    INSERT INTO core.requests (idempotency_key, digest, outcome, reference)
    VALUES (p_key, p_digest, 'POSTED', p_receipt);
    PERFORM set_config('daftari.door', '', true);
END
$$;

-- A person has a message of the inbox that waits for one (QUARANTINED or FAILED) taken in again, as it was received or corrected: it
-- reports a payment, and that goes through services.record_payments like any report, once.
--
-- p_id: of the message, whose row stays as it is. p_body: what is taken in now; it gets a row of its own, of the kind REPLAY, or
-- STK_REPLAY where it names the payment that it settles: services.settle_by_deposits looks for none.
-- p_receipt to p_payload: what p_body says, as services.record_deposits takes it.
-- p_payment to p_checkout: the payment that it settles, and what M-PESA calls it, as services.record_payments takes it.
-- p_key, p_digest: as for core.reverse_transaction.
-- After: outcome 'posted' and result, what became of the payment (credited, suspense, held, duplicate or conflict); 'replayed'
--        when this message was taken in before, with the receipt of that time in receipt; 'key_reused'; or 'refused' with reason:
--        unknown_callback, nothing_to_resolve (no such outcome, or it only asked), already_resolved in another way, or why the
--        payment can be booked nowhere.
CREATE OR REPLACE FUNCTION services.replay_callback(
    p_id uuid, p_by text, p_reason text, p_key text, p_digest text,
    p_receipt text, p_amount numeric, p_short_code text, p_account text, p_paid_at timestamp, p_phone text,
    p_phone_hash text, p_name text, p_payload text, p_body bytea, p_max_amount numeric DEFAULT NULL,
    p_payment uuid DEFAULT NULL, p_merchant text DEFAULT NULL, p_checkout text DEFAULT NULL,
    OUT outcome text, OUT reason text, OUT receipt text, OUT result text
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    c      services.mpesa_callbacks;
    v_last services.mpesa_decisions;
    r      record;
BEGIN
    SELECT * INTO c FROM services.mpesa_callbacks x WHERE x.id = p_id;
    -- Two people who decide about one message decide one after the other.
    PERFORM pg_advisory_xact_lock(hashtextextended('services.mpesa_decisions ' || coalesce(c.receipt, p_id::text), 0));
    outcome := core.find_request(p_key => p_key, p_digest => p_digest);
    IF outcome = 'replayed' THEN
        SELECT q.reason, q.reference INTO reason, receipt FROM core.requests q WHERE q.idempotency_key = p_key;
    END IF;
    IF outcome IS NOT NULL THEN
        RETURN;
    END IF;

    SELECT * INTO v_last FROM services.mpesa_decisions d WHERE d.callback_id = p_id;
    reason := CASE
        WHEN c.id IS NULL THEN 'unknown_callback'
        WHEN c.outcome NOT IN ('QUARANTINED', 'FAILED') OR c.kind = 'C2B_VALIDATION' THEN 'nothing_to_resolve'
        WHEN v_last.decision <> 'REPLAYED' THEN 'already_resolved'
    END;
    IF reason IS NULL AND v_last.id IS NOT NULL THEN
        outcome := 'replayed';
        receipt := v_last.receipt;
    ELSIF reason IS NULL THEN
        SELECT d.outcome, d.reason INTO r
          FROM services.record_payments(
              p_payments => ARRAY[p_payment], p_merchants => ARRAY[p_merchant], p_checkouts => ARRAY[p_checkout],
              p_receipts => ARRAY[p_receipt], p_amounts => ARRAY[p_amount], p_short_codes => ARRAY[p_short_code],
              p_accounts => ARRAY[p_account], p_paid_at => ARRAY[p_paid_at], p_phones => ARRAY[p_phone],
              p_phone_hashes => ARRAY[p_phone_hash], p_names => ARRAY[p_name], p_payloads => ARRAY[p_payload],
              p_kinds => ARRAY[CASE WHEN p_payment IS NULL THEN 'REPLAY' ELSE 'STK_REPLAY' END],
              p_sources => ARRAY[NULL]::text[], p_body_starts => ARRAY[1],
              p_body_lengths => ARRAY[octet_length(p_body)], p_bodies => p_body, p_max_amount => p_max_amount
          ) AS d;
        outcome := 'posted';
        receipt := p_receipt;
        result := r.outcome;
        reason := CASE WHEN r.outcome = 'refused' THEN coalesce(r.reason, 'invalid_amount') END;
    END IF;
    IF reason IS NOT NULL THEN
        outcome := 'refused';
        PERFORM core.refuse_request(p_key => p_key, p_digest => p_digest, p_reason => reason);
        RETURN;
    END IF;

    PERFORM set_config('daftari.door', 'open', true);
    IF outcome = 'posted' THEN
        INSERT INTO services.mpesa_decisions (callback_id, receipt, decision, reason, decided_by, reference)
        VALUES (p_id, p_receipt, 'REPLAYED', p_reason, p_by, CASE WHEN result IN ('credited', 'suspense') THEN p_receipt END);
        PERFORM services.refresh_flags(services.contradicted_payments(c.receipt));
    END IF;
    INSERT INTO core.requests (idempotency_key, digest, outcome, reference)
    VALUES (p_key, p_digest, 'POSTED', receipt);
    PERFORM set_config('daftari.door', '', true);
END
$$;

-- What a person decides about a message in the inbox that waits for one (CONFLICT, QUARANTINED or FAILED).
--
-- p_decision: KEPT, what is recorded stays as it is and the message needs nobody any more; or CORRECTED, the message is
--         right and the deposit that it contradicts is not: the difference moves between the float and the wallet that
--         was credited, once for each receipt, as CR-<receipt>. A difference in the short code alone moves nothing.
-- p_key, p_digest: as for core.reverse_transaction.
-- After: outcome 'posted', 'noted' when no money moved, 'replayed', 'key_reused', or 'refused' with reason:
--        unknown_callback, nothing_to_resolve (no such outcome), already_resolved, not_correctable (its money went
--        through suspense, was moved to another wallet, was sent back in part, or was corrected before, or there is no deposit), or a reason of
--        core.post_transactions: a correction never overdraws. reference is that of the correction, if there is one.
CREATE OR REPLACE FUNCTION services.resolve_callback(
    p_id uuid, p_decision text, p_by text, p_reason text, p_key text, p_digest text,
    OUT outcome text, OUT reason text, OUT reference text
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c      services.mpesa_callbacks;
    t      core.transactions;
    v_last services.mpesa_decisions;
    v_more numeric;
    v_post record;
BEGIN
    SELECT * INTO c FROM services.mpesa_callbacks x WHERE x.id = p_id;
    -- Two people who decide about one payment decide one after the other.
    PERFORM pg_advisory_xact_lock(hashtextextended('services.mpesa_decisions ' || coalesce(c.receipt, p_id::text), 0));
    SELECT * INTO t FROM core.transactions x WHERE x.reference = c.receipt AND x.type = 'DEPOSIT';
    PERFORM core.lock_wallets(ARRAY[t.credit_wallet_id, t.debit_wallet_id]);
    outcome := core.find_request(p_key => p_key, p_digest => p_digest);
    IF outcome = 'replayed' THEN
        SELECT q.reason, nullif(q.reference, p_id::text) INTO reason, reference
          FROM core.requests q WHERE q.idempotency_key = p_key;
    END IF;
    IF outcome IS NOT NULL THEN
        RETURN;
    END IF;

    SELECT * INTO v_last FROM services.mpesa_decisions d WHERE d.callback_id = p_id;
    v_more := c.amount - t.amount;
    reason := CASE
        WHEN c.id IS NULL THEN 'unknown_callback'
        WHEN c.outcome NOT IN ('CONFLICT', 'QUARANTINED', 'FAILED') THEN 'nothing_to_resolve'
        WHEN v_last.decision <> p_decision THEN 'already_resolved'
        WHEN v_last.id IS NULL AND p_decision = 'CORRECTED' AND (
            c.outcome <> 'CONFLICT' OR v_more IS NULL OR core.account_of(t.credit_wallet_id) = 'SUSPENSE'
            OR core.remaining_of(t.id) < t.amount OR (core.current_assignment(c.receipt)).reference IS NOT NULL
            OR EXISTS (SELECT FROM core.transactions x WHERE x.reference = 'CR-' || c.receipt)
        ) THEN 'not_correctable'
        WHEN p_decision = 'CORRECTED' AND v_more > 1000000000000 THEN 'invalid_amount'
    END;
    IF reason IS NULL AND v_last.id IS NOT NULL THEN
        outcome := 'replayed';
        reference := v_last.reference;
    ELSIF reason IS NULL AND p_decision = 'CORRECTED' AND v_more <> 0 THEN
        reference := 'CR-' || c.receipt;
        SELECT * INTO v_post FROM core.post_transactions(
            p_references => ARRAY[reference],
            p_types => ARRAY[CASE WHEN v_more > 0 THEN 'DEPOSIT' ELSE 'REVERSAL' END],
            p_debits => ARRAY[CASE WHEN v_more > 0 THEN t.debit_wallet_id ELSE t.credit_wallet_id END]::text[],
            p_credits => ARRAY[CASE WHEN v_more > 0 THEN t.credit_wallet_id ELSE t.debit_wallet_id END]::text[],
            p_fallbacks => NULL, p_amounts => ARRAY[abs(v_more)],
            p_currencies => ARRAY[t.currency::text], p_reverses => ARRAY[CASE WHEN v_more < 0 THEN t.id END],
            p_narratives => ARRAY['Correction of ' || c.receipt]
        );
        IF v_post.outcomes[1] = 'created' THEN
            outcome := 'posted';
            IF v_more > 0 THEN
                PERFORM services.queue_movement_sms(
                    p_templates => ARRAY['deposit'], p_wallets => ARRAY[t.credit_wallet_id]::text[],
                    p_references => ARRAY[reference], p_amounts => ARRAY[v_more],
                    p_currencies => ARRAY[t.currency]::text[], p_others => ARRAY[t.debit_wallet_id]::text[],
                    p_balances => v_post.credit_balances
                );
                -- One that takes something away is a reversal, and told as that.
                IF EXISTS (SELECT FROM services.webhooks w WHERE w.status = 'ACTIVE') THEN
                    PERFORM services.queue_change_webhook(
                        p_receipt => c.receipt, p_outcome => 'corrected', p_amount => v_more, p_currency => t.currency,
                        p_wallet => t.credit_wallet_id, p_from => NULL, p_reference => reference, p_reason => NULL,
                        p_at => v_post.posted_at
                    );
                END IF;
            END IF;
        ELSE
            reason := coalesce(v_post.reasons[1], 'not_correctable');
        END IF;
    ELSIF reason IS NULL THEN
        outcome := 'noted';
    END IF;
    IF reason IS NOT NULL THEN
        outcome := 'refused';
        reference := NULL;
        PERFORM core.refuse_request(p_key => p_key, p_digest => p_digest, p_reason => reason);
        RETURN;
    END IF;

    PERFORM set_config('daftari.door', 'open', true);
    IF outcome <> 'replayed' THEN
        INSERT INTO services.mpesa_decisions (callback_id, receipt, decision, reason, decided_by, reference)
        VALUES (p_id, c.receipt, p_decision, p_reason, p_by, reference);
        PERFORM services.refresh_flags(services.contradicted_payments(c.receipt));
    END IF;
    INSERT INTO core.requests (idempotency_key, digest, outcome, reference)
    VALUES (p_key, p_digest, 'POSTED', coalesce(reference, p_id::text));
    PERFORM set_config('daftari.door', '', true);
END
$$;

-- Changes the text of a message, and writes down who wanted it and why.
--
-- After: fault NULL and the text is used from the next message on; or nothing is changed, and fault and detail say what
--        is wrong (services.sms_template_fault).
CREATE OR REPLACE FUNCTION services.set_sms_template(
    p_key text, p_language text, p_text text, p_by text, p_reason text, OUT fault text, OUT detail text
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_at timestamp;
BEGIN
    IF coalesce(btrim(p_by), '') = '' OR coalesce(btrim(p_reason), '') = '' THEN
        RAISE EXCEPTION 'who changes a text, and why, must be named' USING ERRCODE = '22023';
    END IF;
    SELECT f.fault, f.detail INTO fault, detail FROM services.sms_template_fault(
        p_key => p_key, p_language => p_language, p_text => p_text
    ) AS f;
    IF fault IS NOT NULL THEN
        RETURN;
    END IF;
    PERFORM set_config('daftari.door', 'open', true);
    INSERT INTO services.sms_templates AS t (key, language, text, formats, changed_at)
    VALUES (p_key, p_language, p_text, services.compile_sms_template(p_text), clock_timestamp() AT TIME ZONE 'UTC')
        ON CONFLICT (key, language) DO UPDATE
       SET text = EXCLUDED.text, formats = EXCLUDED.formats,
           changed_at = greatest(t.changed_at + interval '1 millisecond', clock_timestamp() AT TIME ZONE 'UTC')
    RETURNING t.changed_at INTO v_at;
    -- Of two people who change one text, whoever waited for the other is the later in the history, too.
    INSERT INTO services.sms_template_changes (key, language, text, changed_by, reason, created_at)
    VALUES (p_key, p_language, p_text, p_by, p_reason, v_at);
    PERFORM set_config('daftari.door', '', true);
END
$$;

-- Settles payments that we asked for by deposits that nobody said were theirs: of such a payment the callback was lost, or comes
-- later, and a confirmation or a pulled row reports its money. For services.follow_deposits.
--
-- Arrays of equal length, one element a payment; p_ids: NULL for what was not posted; p_wallets: who was credited.
-- A deposit settles a payment of the same wallet, amount and short code that has no receipt, whatever was thought of it, when
-- it was paid from two minutes before the request (clocks differ) to an hour after it, its payer's number is told and agrees,
-- and its account is the reference that the prompt showed, or there is none, as at a till: money that was meant for something else
-- must not pay an order. Where two payments may be meant, the callback or M-PESA's answer must say which.
-- What the callback of a request or a proof of M-PESA reports names its payment, and is settled by services.record_payments.
-- Locks: the payments, in order of their ids; the wallets of the batch are locked already.
CREATE OR REPLACE FUNCTION services.settle_by_deposits(
    p_ids uuid[], p_receipts text[], p_kinds text[], p_amounts numeric[], p_short_codes text[], p_accounts text[],
    p_paid_at timestamp[], p_phones text[], p_phone_hashes text[], p_wallets text[]
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
-- The settings are those of services.record_deposits, which does without joins of one row at a time: hence the subquery.
AS $$
DECLARE
    v_payments uuid[];
    v_receipts text[];
    v_has_none boolean;
BEGIN
    -- Nearly all deposits are of wallets that were asked for nothing, and this costs less than the question which.
    IF NOT EXISTS (
        SELECT FROM services.mpesa_payments p
         WHERE p.wallet_id = ANY (p_wallets) AND p.receipt IS NULL
           AND p.created_at >= (SELECT min(t.at) FROM unnest(p_paid_at) AS t (at)) - interval '1 hour'
    ) THEN
        RETURN;
    END IF;
    SELECT array_agg(m.payment::uuid ORDER BY m.payment, m.ord), array_agg(m.receipt ORDER BY m.payment, m.ord)
      INTO v_payments, v_receipts
      FROM (
        SELECT t.ord, t.receipt, (
                   SELECT min(p.id::text)
                     FROM services.mpesa_payments p
                    WHERE p.wallet_id = t.wallet
                      AND p.created_at BETWEEN t.paid_at - interval '1 hour' AND t.paid_at + interval '2 minutes'
                      AND p.receipt IS NULL AND p.amount = t.amount AND p.short_code = t.short_code
                      AND (coalesce(t.account, '') = '' OR upper(btrim(t.account)) = upper(p.reference))
                      AND services.may_be_phone(p_phone => p.phone, p_told => t.phone, p_hash => t.phone_hash)
                   HAVING count(*) = 1
               ) AS payment
          FROM unnest(
            p_ids, p_receipts, p_kinds, p_amounts, p_short_codes, p_accounts, p_paid_at, p_phones, p_phone_hashes, p_wallets
          ) WITH ORDINALITY AS t (id, receipt, kind, amount, short_code, account, paid_at, phone, phone_hash, wallet, ord)
         WHERE t.id IS NOT NULL AND t.kind NOT IN ('STK_CALLBACK', 'STATUS_RESULT', 'STK_REPLAY')
           AND (t.phone IS NOT NULL OR t.phone_hash IS NOT NULL)
      ) m
     WHERE m.payment IS NOT NULL;
    FOR i IN 1 .. coalesce(cardinality(v_payments), 0) LOOP
        SELECT p.receipt IS NULL INTO v_has_none FROM services.mpesa_payments p WHERE p.id = v_payments[i] FOR UPDATE;
        -- Two deposits of one batch may fit: the first one is taken.
        IF v_has_none THEN
            PERFORM services.change_payment(
                p_id => v_payments[i], p_status => 'PAID', p_result_code => '0', p_receipt => v_receipts[i]
            );
            PERFORM services.note_payment(
                p_id => v_payments[i], p_kind => 'PAID', p_reason => 'matched', p_receipt => v_receipts[i]
            );
            PERFORM services.flag_other_wallets(ARRAY[v_receipts[i]]);
        END IF;
    END LOOP;
END
$$;

-- Trigger function: a reversal and an assignment are told to the customers whose wallets they touch, and to the endpoints of apps,
-- whichever way they were posted. They are rare; deposits and transfers are told by the functions that record them, a batch at a time.
CREATE OR REPLACE FUNCTION services.tell_of_transaction()
RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NEW.type = 'REVERSAL' THEN
        PERFORM services.queue_movement_sms(
            p_templates => ARRAY['reversal_debit', 'reversal_credit'],
            p_wallets => ARRAY[NEW.debit_wallet_id, NEW.credit_wallet_id]::text[],
            p_references => ARRAY[NEW.reference, NEW.reference]::text[], p_amounts => ARRAY[NEW.amount, NEW.amount],
            p_currencies => ARRAY[NEW.currency, NEW.currency]::text[],
            p_others => ARRAY[NEW.credit_wallet_id, NEW.debit_wallet_id]::text[],
            p_balances => ARRAY[NEW.debit_balance_after, NEW.credit_balance_after]
        );
    ELSIF core.account_of(NEW.debit_wallet_id) <> 'SUSPENSE' THEN
        -- A payment that was credited to the wrong wallet. Whose that was concerns neither.
        PERFORM services.queue_movement_sms(
            p_templates => ARRAY['reversal_debit', 'deposit'],
            p_wallets => ARRAY[NEW.debit_wallet_id, NEW.credit_wallet_id]::text[],
            p_references => ARRAY[NEW.reference, NEW.reference]::text[], p_amounts => ARRAY[NEW.amount, NEW.amount],
            p_currencies => ARRAY[NEW.currency, NEW.currency]::text[], p_others => ARRAY[NULL, NULL]::text[],
            p_balances => ARRAY[NEW.debit_balance_after, NEW.credit_balance_after]
        );
    ELSIF NOT services.retell_masked(p_assignment => NEW) THEN
        PERFORM services.queue_movement_sms(
            p_templates => ARRAY['suspense_assigned'], p_wallets => ARRAY[NEW.credit_wallet_id]::text[],
            p_references => ARRAY[NEW.reference]::text[], p_amounts => ARRAY[NEW.amount],
            p_currencies => ARRAY[NEW.currency]::text[], p_others => ARRAY[NEW.debit_wallet_id]::text[],
            p_balances => ARRAY[NEW.credit_balance_after]
        );
    END IF;
    PERFORM services.queue_movement_webhook(NEW);
    RETURN NULL;
END
$$;

-- ==== end of functions ====
