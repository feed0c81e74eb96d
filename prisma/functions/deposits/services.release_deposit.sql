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
