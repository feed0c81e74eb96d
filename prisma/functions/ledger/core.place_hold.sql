-- Reserves money of a wallet: it stays in the balance and can no longer be spent. What is promised must be payable, so
-- the fee that its capture may take is reserved with it (core.fee_to_hold).
--
-- After: outcome 'posted' and the new hold; 'replayed' with the hold of then (or reason, if it was refused then);
--        'key_reused'; or 'refused' with reason: unknown_wallet, wallet_frozen, wallet_closed, invalid_amount,
--        expiry_passed (it would end before it begins), insufficient_funds (for amount and fee). The hold keeps what was
--        available after it, so that a repeat is told the same whatever has happened since.
CREATE OR REPLACE FUNCTION core.place_hold(
    p_key text, p_digest text, p_wallet text, p_amount numeric, p_expires_at timestamp, p_narrative text,
    OUT outcome text, OUT reason text, OUT hold_id uuid
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_now constant timestamp := clock_timestamp() AT TIME ZONE 'UTC';
    v_fee numeric;
    w     core.wallets;
BEGIN
    PERFORM core.lock_wallets(ARRAY[p_wallet]);
    outcome := core.find_request(p_key => p_key, p_digest => p_digest);
    IF outcome = 'replayed' THEN
        SELECT q.reason, q.reference::uuid INTO reason, hold_id
          FROM core.requests q WHERE q.idempotency_key = p_key;
    END IF;
    IF outcome IS NOT NULL THEN
        RETURN;
    END IF;

    SELECT * INTO w FROM core.wallets WHERE id = p_wallet AND kind = 'CUSTOMER';
    v_fee := core.fee_to_hold(p_currency => w.currency, p_amount => p_amount, p_at => v_now);
    reason := CASE
        WHEN w.id IS NULL THEN 'unknown_wallet'
        WHEN w.status = 'FROZEN' THEN 'wallet_frozen'
        WHEN w.status = 'CLOSED' THEN 'wallet_closed'
        WHEN p_amount <= 0 OR p_amount <> round(p_amount, 2) THEN 'invalid_amount'
        WHEN p_expires_at <= v_now THEN 'expiry_passed'
        WHEN w.balance - w.held - w.min_balance < p_amount + v_fee THEN 'insufficient_funds'
    END;
    IF reason IS NOT NULL THEN
        outcome := 'refused';
        PERFORM core.refuse_request(p_key => p_key, p_digest => p_digest, p_reason => reason);
        RETURN;
    END IF;

    outcome := 'posted';
    hold_id := core.new_id();
    PERFORM set_config('daftari.door', 'open', true);
    UPDATE core.wallets
       SET held = held + p_amount + v_fee, updated_at = greatest(updated_at, v_now)
     WHERE id = p_wallet;
    INSERT INTO core.holds (id, wallet_id, lane, amount, fee_held, expires_at, narrative, placed_available)
    VALUES (
        hold_id, p_wallet, w.lane, p_amount, v_fee, p_expires_at, p_narrative, w.balance - w.held - p_amount - v_fee
    );
    INSERT INTO core.requests (idempotency_key, digest, outcome, reference)
    VALUES (p_key, p_digest, 'POSTED', hold_id::text);
    PERFORM set_config('daftari.door', '', true);
END
$$;
