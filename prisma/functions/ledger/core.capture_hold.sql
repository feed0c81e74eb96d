-- Pays out of a hold, whole or part; the rest goes back to the wallet, and the hold is closed.
--
-- Its fee is that of the rules in force now, and never so high that there is not enough money for it: the holder pays
-- what was reserved for it at most, whatever has become of the rules since; a receiver, what they have with what they
-- receive. A hold from before fees were reserved (fee_held NULL) has the rest of its wallet for it.
--
-- p_amount: NULL for the whole. p_to: a system wallet (a WITHDRAWAL) or a customer's (a TRANSFER).
-- After: outcome 'posted' and the transaction's reference; 'replayed' with the reference of then (or reason);
--        'key_reused'; or 'refused' with reason: unknown_hold, hold_closed (captured, released or expired already),
--        exceeds_hold, or a reason of core.post_transactions. A refused capture leaves the hold as it was;
--        one that is done leaves with it its transaction and what was available afterwards.
CREATE OR REPLACE FUNCTION core.capture_hold(
    p_key text, p_digest text, p_hold_id uuid, p_to text, p_amount numeric, p_reference text, p_narrative text,
    OUT outcome text, OUT reason text, OUT reference text
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_now  constant timestamp := clock_timestamp() AT TIME ZONE 'UTC';
    h      core.holds;
    w      core.wallets;
    v_wallet text;
    v_lane smallint;
    v_held numeric; -- amount and fee
    v_type text;
    v_rule record;
    v_payer text;
    v_fee  numeric;
    v_legs integer;
    v_post record;
BEGIN
    -- A hold stays its wallet's. Out of the ledger its money leaves in the wallet's own lane.
    SELECT x.wallet_id, x.lane, core.wallet_in_lane(p_wallet => p_to, p_lane => x.lane)
      INTO v_wallet, v_lane, p_to
      FROM core.holds x
     WHERE x.id = p_hold_id;
    PERFORM core.lock_wallets(ARRAY[
        v_wallet, p_to, core.stripe_of(p_account => 'FEES', p_lane => v_lane),
        core.stripe_of(p_account => 'FEES', p_lane => core.lane_of(p_to))
    ]);
    outcome := core.find_request(p_key => p_key, p_digest => p_digest);
    IF outcome = 'replayed' THEN
        SELECT q.reason, q.reference INTO reason, reference
          FROM core.requests q WHERE q.idempotency_key = p_key;
    END IF;
    IF outcome IS NOT NULL THEN
        RETURN;
    END IF;

    SELECT * INTO h FROM core.holds WHERE id = p_hold_id;
    p_amount := coalesce(p_amount, h.amount);
    reason := CASE
        WHEN h.id IS NULL THEN 'unknown_hold'
        WHEN h.status <> 'ACTIVE' OR h.expires_at <= v_now THEN 'hold_closed'
        WHEN p_amount > h.amount THEN 'exceeds_hold'
        -- What waits in suspense came in under a receipt, by which it is assigned or sent back.
        WHEN core.account_of(p_to) = 'SUSPENSE' THEN 'unknown_wallet'
    END;
    IF reason IS NOT NULL THEN
        outcome := 'refused';
        PERFORM core.refuse_request(p_key => p_key, p_digest => p_digest, p_reason => reason);
        RETURN;
    END IF;

    SELECT * INTO w FROM core.wallets WHERE id = h.wallet_id;
    v_type := CASE WHEN (SELECT kind FROM core.wallets WHERE id = p_to) = 'CUSTOMER' THEN 'TRANSFER' ELSE 'WITHDRAWAL' END;
    v_held := h.amount + coalesce(h.fee_held, 0);
    SELECT * INTO v_rule FROM core.fee_of(
        p_type => v_type, p_currency => w.currency, p_amount => p_amount, p_at => v_now
    );
    v_payer := CASE v_rule.payer WHEN 'SENDER' THEN h.wallet_id ELSE p_to END;
    -- A wallet without a floor has no limit: least() passes over NULL.
    v_fee := least(v_rule.fee, CASE v_rule.payer
        WHEN 'SENDER' THEN coalesce(h.fee_held, w.balance - w.held - w.min_balance + h.amount - p_amount)
        ELSE p_amount + (SELECT b.balance - b.held - b.min_balance FROM core.wallets b WHERE b.id = p_to)
    END);
    v_legs := CASE WHEN v_rule.fee IS NULL OR v_fee <= 0 OR core.account_of(v_payer) = 'FEES' THEN 1 ELSE 2 END;

    -- The money must be free to move for the door to move it; nobody else can take it, the wallet is locked.
    PERFORM set_config('daftari.door', 'open', true);
    UPDATE core.wallets SET held = held - v_held WHERE id = h.wallet_id;
    PERFORM set_config('daftari.door', '', true);
    SELECT * INTO v_post FROM core.post_transactions(
        p_references => (ARRAY[p_reference, p_reference || '-F'])[1:v_legs],
        p_types => (ARRAY[v_type, 'FEE'])[1:v_legs], p_debits => (ARRAY[h.wallet_id::text, v_payer])[1:v_legs],
        p_credits => (
            ARRAY[p_to, core.stripe_of(p_account => 'FEES', p_lane => CASE v_payer WHEN p_to THEN core.lane_of(p_to) ELSE v_lane END)]
        )[1:v_legs], p_fallbacks => NULL,
        p_amounts => (ARRAY[p_amount, v_fee])[1:v_legs],
        p_currencies => (ARRAY[w.currency::text, w.currency::text])[1:v_legs],
        p_keys => (ARRAY[p_key, NULL])[1:v_legs], p_digests => (ARRAY[p_digest, NULL])[1:v_legs],
        p_groups => (ARRAY[1, 1])[1:v_legs], p_narratives => (ARRAY[p_narrative, NULL])[1:v_legs]
    );
    PERFORM set_config('daftari.door', 'open', true);
    IF v_post.outcomes[1] = 'created' THEN
        outcome := 'posted';
        reference := p_reference;
        UPDATE core.holds
           SET status = 'CAPTURED', captured = p_amount, capture_reference = p_reference, closed_at = v_now,
               closed_available = (SELECT b.balance - b.held FROM core.wallets b WHERE b.id = h.wallet_id)
         WHERE id = h.id;
    ELSE
        -- Its key may have been spent on other wallets than ours since it was looked for.
        outcome := CASE WHEN v_post.outcomes[1] IN ('refused', 'key_reused') THEN v_post.outcomes[1] ELSE 'collision' END;
        reason := v_post.reasons[1];
        UPDATE core.wallets SET held = held + v_held WHERE id = h.wallet_id;
    END IF;
    PERFORM set_config('daftari.door', '', true);
END
$$;
