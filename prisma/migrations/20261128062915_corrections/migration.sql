-- Before: money that a confirmation put into another wallet than the one that was asked for stays there; who assigned a payment
--         is not kept; a masked number suggests nobody.
-- After:  a person moves it in one step (services.correct_payment); assignments have their decisions, with or without a reason;
--         wallets_mask_idx finds wallets by the end of a number and a word of a name, as suggestions.

-- AlterTable
ALTER TABLE "services"."mpesa_decisions" ALTER COLUMN "reason" DROP NOT NULL;
ALTER TABLE services.mpesa_decisions
    DROP CONSTRAINT mpesa_decisions_decision_check,
    ADD CONSTRAINT mpesa_decisions_decision_check CHECK (
        decision IN (
            'KEPT', 'CORRECTED', 'REPLAYED', 'RELEASED', 'REJECTED', 'REFUND', 'NO_REFUND', 'ASSIGNED', 'MOVED'
        )
    ),
    ADD CONSTRAINT mpesa_decisions_reason_check CHECK (reason IS NOT NULL OR decision = 'ASSIGNED');

-- ==== functions: written by db:migration, edit prisma/functions instead ====

DROP FUNCTION core.suggest_wallets(p_account text, p_phone text, p_phone_hash text);

DROP FUNCTION services.replay_callback(p_id uuid, p_by text, p_reason text, p_key text, p_digest text, p_receipt text, p_amount numeric, p_short_code text, p_account text, p_paid_at timestamp without time zone, p_phone text, p_phone_hash text, p_name text, p_payload text, p_body bytea, p_max_amount numeric, OUT outcome text, OUT reason text, OUT receipt text, OUT result text);

-- What a masked number and a name have in common with a wallet, for wallets_mask_idx: each word of the name behind the last
-- three digits of the number. Initials and other short words find nobody.
CREATE OR REPLACE FUNCTION core.mask_words(p_phone text, p_name text)
RETURNS text[]
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $$
    SELECT array_agg(DISTINCT right(p_phone, 3) || w) FROM unnest(core.name_words(p_name)) AS w
     WHERE p_phone ~ '[0-9]{3}$' AND length(w) > 2
$$;

-- Sends the money of a transaction back, whole or up to what is left of it.
--
-- The policy: a reversal never overdraws a wallet. When the money is spent it is refused (insufficient_funds), and
-- somebody decides; part of it can be asked for. A payment is reversed from suspense, or from the wallet that it was credited
-- to, only as long as it has not been assigned to another wallet: afterwards the assignment must be reversed first, or other
-- payers' money would be sent back. And an assignment goes back whole or not at all: a part of a payment would lie in suspense where it can
-- neither be assigned nor sent back.
--
-- p_amount: NULL for all that is left.
-- After: outcome 'posted' and the new reference; 'replayed' with the reference of then (or reason); 'key_reused'; or
--        'refused' with reason: unknown_transaction, not_reversible, already_reversed, exceeds_remaining,
--        not_divisible, already_assigned, or a reason of core.post_transactions.
CREATE OR REPLACE FUNCTION core.reverse_transaction(
    p_key text, p_digest text, p_original text, p_amount numeric, p_reference text, p_narrative text,
    OUT outcome text, OUT reason text, OUT reference text
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t           core.transactions;
    v_remaining numeric;
    v_post      record;
BEGIN
    SELECT * INTO t FROM core.transactions x WHERE x.reference = p_original;
    PERFORM core.lock_wallets(ARRAY[t.debit_wallet_id::text, t.credit_wallet_id::text]);
    outcome := core.find_request(p_key => p_key, p_digest => p_digest);
    IF outcome = 'replayed' THEN
        SELECT q.reason, q.reference INTO reason, reference
          FROM core.requests q WHERE q.idempotency_key = p_key;
    END IF;
    IF outcome IS NOT NULL THEN
        RETURN;
    END IF;

    v_remaining := core.remaining_of(t.id);
    p_amount := coalesce(p_amount, v_remaining);
    reason := CASE
        WHEN t.id IS NULL THEN 'unknown_transaction'
        WHEN t.type = 'REVERSAL' THEN 'not_reversible'
        WHEN v_remaining = 0 THEN 'already_reversed'
        WHEN p_amount > v_remaining THEN 'exceeds_remaining'
        WHEN t.type = 'ASSIGNMENT' AND p_amount < v_remaining THEN 'not_divisible'
        WHEN t.type = 'DEPOSIT' AND (core.current_assignment(t.reference)).reference IS NOT NULL THEN 'already_assigned'
    END;
    IF reason IS NOT NULL THEN
        outcome := 'refused';
        PERFORM core.refuse_request(p_key => p_key, p_digest => p_digest, p_reason => reason);
        RETURN;
    END IF;

    SELECT * INTO v_post FROM core.post_transactions(
        p_references => ARRAY[p_reference], p_types => ARRAY['REVERSAL'],
        p_debits => ARRAY[t.credit_wallet_id::text], p_credits => ARRAY[t.debit_wallet_id::text],
        p_fallbacks => NULL, p_amounts => ARRAY[p_amount], p_currencies => ARRAY[t.currency::text],
        p_keys => ARRAY[p_key], p_digests => ARRAY[p_digest], p_reverses => ARRAY[t.id],
        p_narratives => ARRAY[p_narrative]
    );
    -- Its key may have been spent on other wallets than ours since it was looked for.
    outcome := CASE
        WHEN v_post.outcomes[1] = 'created' THEN 'posted'
        WHEN v_post.outcomes[1] IN ('refused', 'key_reused') THEN v_post.outcomes[1]
        ELSE 'collision'
    END;
    reason := v_post.reasons[1];
    reference := CASE WHEN outcome = 'posted' THEN p_reference END;
END
$$;

-- Wallets that the payer of an account may have meant, and why: at most five, the likeliest first, each once.
--
-- reason: near_number         one digit of the number differs, or two neighbours are swapped
--         account_phone       what was typed is the phone number of this wallet, and of others
--         payer_phone         the number that paid is this wallet's, and no other's
--         payer_phone_hash    the same, of a number that came as its hash
--         payer_mask_and_name the number that paid came masked: what is shown of it fits this wallet's number, and a word of
--                             the payer's name is in its holder's
CREATE OR REPLACE FUNCTION core.suggest_wallets(
    p_account text, p_phone text, p_phone_hash text, p_name text DEFAULT NULL
)
RETURNS TABLE (wallet text, reason text)
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
-- It is asked about one payment at a time, and must not read all wallets because there were few when it was planned.
SET enable_seqscan = off
AS $$
    SELECT s.wallet, s.reason
      FROM (
        SELECT c.wallet, (array_agg(c.reason ORDER BY c.rank))[1] AS reason, min(c.rank) AS rank, min(c.place) AS place
          FROM (
            SELECT n.wallet, 'near_number' AS reason, 1 AS rank, 0 AS place
              FROM unnest(core.nearest_wallets(p_account)) AS n (wallet)
             UNION ALL
            SELECT w.id, 'account_phone', 2, 0
              FROM core.wallets w
             WHERE w.phone = core.normalize_phone(regexp_replace(coalesce(p_account, ''), '[\s\u00a0-]', '', 'g'))
               AND w.kind = 'CUSTOMER' AND w.status <> 'CLOSED'
             UNION ALL
            SELECT min(w.id), CASE WHEN p_phone IS NULL THEN 'payer_phone_hash' ELSE 'payer_phone' END, 3, 0
              FROM core.wallets w
             WHERE w.phone = coalesce(
                       core.normalize_phone(p_phone),
                       CASE WHEN p_phone IS NULL AND p_phone_hash IS NOT NULL THEN core.phone_of_hash(p_phone_hash) END
                   )
               AND w.kind = 'CUSTOMER' AND w.status <> 'CLOSED'
            HAVING count(*) = 1
             UNION ALL
            -- The more words fit, the likelier.
            SELECT w.id, 'payer_mask_and_name', 4, -cardinality(ARRAY(
                       SELECT unnest(core.name_words(w.holder_name)) INTERSECT SELECT unnest(core.name_words(p_name))
                   ))
              FROM core.wallets w
             WHERE core.mask_words(p_phone => w.phone, p_name => w.holder_name)
                   && core.mask_words(p_phone => p_phone, p_name => p_name)
               AND p_phone LIKE '%*%' AND w.kind = 'CUSTOMER' AND w.status <> 'CLOSED'
               AND services.may_be_phone(p_phone => w.phone, p_told => p_phone, p_hash => NULL)
          ) c
         GROUP BY c.wallet
         ORDER BY rank, place, c.wallet
         LIMIT 5
      ) s
$$;

-- A person moves the money of a receipt of a payment from the wallet that an earlier message had it credited to (flagged
-- OTHER_WALLET) to the wallet that the payment was asked for, once. It is an assignment like one out of suspense: whoever asks
-- where the money of the receipt is finds it by core.current_assignment.
--
-- p_receipt: NULL for the payment's own. p_key, p_digest: as for core.reverse_transaction.
-- Locks: the decisions about the receipt; both wallets, in the one global order; then the payment.
-- After: outcome 'posted', 'replayed' when it is in that wallet already or the key was used for this very request, 'key_reused',
--        or 'refused' with reason: unknown_payment, nothing_to_correct, already_assigned (a person moved it to a third wallet),
--        already_reversed, not_correctable (its amount was corrected), or a reason of core.post_transactions: a correction never
--        overdraws. receipt, reference, source and amount say what was moved, now or then.
CREATE OR REPLACE FUNCTION services.correct_payment(
    p_id uuid, p_receipt text, p_by text, p_reason text, p_key text, p_digest text,
    OUT outcome text, OUT reason text, OUT receipt text, OUT reference text, OUT source text, OUT amount numeric
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
    v_target   text;
    v_receipt  text;
    v_post     record;
BEGIN
    SELECT * INTO p FROM services.mpesa_payments x WHERE x.id = p_id;
    v_receipt := coalesce(p_receipt, p.receipt);
    -- Two people who decide about one receipt decide one after the other.
    PERFORM pg_advisory_xact_lock(hashtextextended('services.mpesa_decisions ' || coalesce(v_receipt, p_id::text), 0));
    SELECT * INTO t FROM core.transactions x WHERE x.reference = v_receipt AND x.type = 'DEPOSIT';
    PERFORM core.lock_wallets(ARRAY[p.wallet_id, t.credit_wallet_id]::text[]);
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
    SELECT x.credit_wallet_id INTO v_target FROM core.transactions x WHERE x.reference = v_assigned.reference;
    reason := CASE
        WHEN p.id IS NULL THEN 'unknown_payment'
        WHEN t.id IS NULL OR source = 'SUSPENSE'
             OR NOT EXISTS (
                 SELECT FROM services.mpesa_payment_events e
                  WHERE e.payment_id = p_id AND e.kind = 'OTHER_WALLET' AND e.receipt = v_receipt
             )
             OR EXISTS (SELECT FROM services.mpesa_payments o WHERE o.receipt = v_receipt AND o.id <> p_id)
            THEN 'nothing_to_correct'
        WHEN v_target <> p.wallet_id THEN 'already_assigned'
        WHEN v_target IS NOT NULL THEN NULL
        WHEN core.remaining_of(t.id) < t.amount THEN 'already_reversed'
        WHEN EXISTS (SELECT FROM core.transactions x WHERE x.reference = 'CR-' || v_receipt) THEN 'not_correctable'
    END;
    IF reason IS NULL AND v_target IS NOT NULL THEN
        outcome := 'replayed';
        reference := v_assigned.reference;
    ELSIF reason IS NULL THEN
        SELECT * INTO v_post FROM core.post_transactions(
            p_references => ARRAY[v_assigned.next_reference], p_types => ARRAY['ASSIGNMENT'],
            p_debits => ARRAY[t.credit_wallet_id]::text[], p_credits => ARRAY[p.wallet_id]::text[], p_fallbacks => NULL,
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
        UPDATE services.mpesa_payments x
           SET is_flagged = EXISTS (
                   SELECT FROM services.mpesa_payment_events e
                    WHERE e.payment_id = p_id AND (
                        e.kind IN ('SECOND_RECEIPT', 'OTHER_PAYMENT', 'CONFLICT', 'UNPROVEN', 'NOT_ASSIGNED')
                        OR e.kind = 'OTHER_WALLET' AND NOT EXISTS (
                            SELECT FROM services.mpesa_payment_events c
                             WHERE c.payment_id = p_id AND c.kind = 'CORRECTED' AND c.receipt = e.receipt
                        )
                    )
               ),
               updated_at = clock_timestamp() AT TIME ZONE 'UTC'
         WHERE x.id = p_id;
    END IF;
    INSERT INTO core.requests (idempotency_key, digest, outcome, reference)
    VALUES (p_key, p_digest, 'POSTED', coalesce(reference, v_receipt));
    PERFORM set_config('daftari.door', '', true);
END
$$;

-- Writes down who assigned a payment in suspense, and why, in the statement that assigned it.
--
-- p_reference: of the assignment that was just posted; NULL where none was, and nothing is written.
CREATE OR REPLACE FUNCTION services.note_assignment(p_receipt text, p_reference text, p_by text, p_reason text)
RETURNS void
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF p_reference IS NULL THEN
        RETURN;
    END IF;
    PERFORM set_config('daftari.door', 'open', true);
    INSERT INTO services.mpesa_decisions (receipt, decision, reason, decided_by, reference)
    VALUES (p_receipt, 'ASSIGNED', p_reason, p_by, p_reference);
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
    IF v_wallet IS DISTINCT FROM (
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

-- A person has a message of the inbox that waits for one (QUARANTINED or FAILED) taken in again, as it was received or corrected: it
-- reports a payment, and that goes through services.record_payments like any report, once.
--
-- p_id: of the message, whose row stays as it is. p_body: what is taken in now; it gets a row of its own, of the kind REPLAY.
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
              p_kinds => ARRAY['REPLAY'], p_sources => ARRAY[NULL]::text[], p_body_starts => ARRAY[1],
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
    END IF;
    INSERT INTO core.requests (idempotency_key, digest, outcome, reference)
    VALUES (p_key, p_digest, 'POSTED', coalesce(reference, p_id::text));
    PERFORM set_config('daftari.door', '', true);
END
$$;

-- Trigger function: a reversal and an assignment are told to the customers whose wallets they touch, whichever way they
-- were posted. They are rare; deposits and transfers are told by the functions that record them, a batch at a time.
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
    ELSE
        PERFORM services.queue_movement_sms(
            p_templates => ARRAY['suspense_assigned'], p_wallets => ARRAY[NEW.credit_wallet_id]::text[],
            p_references => ARRAY[NEW.reference]::text[], p_amounts => ARRAY[NEW.amount],
            p_currencies => ARRAY[NEW.currency]::text[], p_others => ARRAY[NEW.debit_wallet_id]::text[],
            p_balances => ARRAY[NEW.credit_balance_after]
        );
    END IF;
    RETURN NULL;
END
$$;

-- ==== end of functions ====

CREATE INDEX wallets_mask_idx ON core.wallets USING gin (core.mask_words(phone::text, holder_name::text)) WHERE kind = 'CUSTOMER';
