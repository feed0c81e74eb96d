-- Writes down that a customer's phone is to be asked for a payment, once for its idempotency key. The row is the record of
-- the attempt: the caller sends the request afterwards, and an attempt that nobody answers for is of unknown outcome.
--
-- p_lease_ms: how long the caller may take to send it and record the answer.
-- After: outcome 'requested' and the id; 'replayed' with the id of the payment that was requested for this key; 'key_reused';
--        or 'refused' with reason: unknown_wallet, wallet_frozen, wallet_closed, currency_mismatch. Refusals are remembered.
CREATE OR REPLACE FUNCTION services.request_payment(
    p_wallet text, p_amount numeric, p_phone text, p_reference text, p_description text, p_short_code text,
    p_lease_ms integer, p_key text, p_digest text,
    OUT outcome text, OUT reason text, OUT id uuid
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    w core.wallets;
BEGIN
    outcome := core.find_request(p_key => p_key, p_digest => p_digest);
    IF outcome = 'replayed' THEN
        SELECT q.reason, CASE WHEN q.outcome = 'POSTED' THEN q.reference END::uuid INTO reason, id
          FROM core.requests q WHERE q.idempotency_key = p_key;
    END IF;
    IF outcome IS NOT NULL THEN
        RETURN;
    END IF;
    SELECT * INTO w FROM core.wallets x WHERE x.id = p_wallet AND x.kind = 'CUSTOMER';
    reason := CASE
        WHEN w.id IS NULL THEN 'unknown_wallet'
        WHEN w.status = 'FROZEN' THEN 'wallet_frozen'
        WHEN w.status = 'CLOSED' THEN 'wallet_closed'
        WHEN w.currency <> 'KES' THEN 'currency_mismatch'
    END;
    IF reason IS NOT NULL THEN
        outcome := 'refused';
        PERFORM core.refuse_request(p_key => p_key, p_digest => p_digest, p_reason => reason);
        RETURN;
    END IF;
    outcome := 'requested';
    PERFORM set_config('daftari.door', 'open', true);
    INSERT INTO services.mpesa_payments AS p (wallet_id, amount, phone, reference, description, short_code, due_at, lane)
    VALUES (
        p_wallet, p_amount, p_phone, p_reference, p_description, p_short_code,
        (clock_timestamp() AT TIME ZONE 'UTC') + p_lease_ms * interval '1 millisecond', w.lane
    )
    RETURNING p.id INTO id;
    INSERT INTO core.requests (idempotency_key, digest, outcome, reference)
    VALUES (p_key, p_digest, 'POSTED', id::text);
    PERFORM set_config('daftari.door', '', true);
    PERFORM services.note_payment(p_id => id, p_kind => 'REQUESTED');
END
$$;
