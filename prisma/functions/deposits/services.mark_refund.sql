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
