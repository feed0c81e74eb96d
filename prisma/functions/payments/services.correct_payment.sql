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
