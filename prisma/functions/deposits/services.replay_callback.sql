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
