-- Restores the functions as they were before. What was available at a hold and at its end is gone.

DROP FUNCTION core.run_operations;
DROP FUNCTION core.assign_suspense;

-- Reserves money of a wallet: it stays in the balance and can no longer be spent.
--
-- After: outcome 'posted' and the new hold; 'replayed' with the hold of then (or reason, if it was refused then);
--        'key_reused'; or 'refused' with reason: unknown_wallet, wallet_frozen, wallet_closed, invalid_amount,
--        insufficient_funds.
CREATE OR REPLACE FUNCTION core.place_hold(
    p_key text, p_digest text, p_wallet text, p_amount numeric, p_expires_at timestamp, p_narrative text,
    OUT outcome text, OUT reason text, OUT hold_id uuid
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    w core.wallets;
BEGIN
    PERFORM core.lock_wallets(ARRAY[p_wallet]);
    outcome := core.find_request(p_key, p_digest);
    IF outcome = 'replayed' THEN
        SELECT q.reason, q.reference::uuid INTO reason, hold_id
          FROM core.requests q WHERE q.idempotency_key = p_key;
    END IF;
    IF outcome IS NOT NULL THEN
        RETURN;
    END IF;

    SELECT * INTO w FROM core.wallets WHERE id = p_wallet AND kind = 'CUSTOMER';
    reason := CASE
        WHEN w.id IS NULL THEN 'unknown_wallet'
        WHEN w.status = 'FROZEN' THEN 'wallet_frozen'
        WHEN w.status = 'CLOSED' THEN 'wallet_closed'
        WHEN p_amount <= 0 OR p_amount <> round(p_amount, 2) THEN 'invalid_amount'
        WHEN w.balance - w.held - w.min_balance < p_amount THEN 'insufficient_funds'
    END;
    IF reason IS NOT NULL THEN
        outcome := 'refused';
        PERFORM core.refuse_request(p_key, p_digest, reason);
        RETURN;
    END IF;

    outcome := 'posted';
    hold_id := core.new_id();
    PERFORM set_config('daftari.door', 'open', true);
    UPDATE core.wallets SET held = held + p_amount, updated_at = clock_timestamp() AT TIME ZONE 'UTC' WHERE id = p_wallet;
    INSERT INTO core.holds (id, wallet_id, amount, expires_at, narrative)
    VALUES (hold_id, p_wallet, p_amount, p_expires_at, p_narrative);
    PERFORM set_config('daftari.door', '', true);
    INSERT INTO core.requests (idempotency_key, digest, outcome, reference)
    VALUES (p_key, p_digest, 'POSTED', hold_id::text);
END
$$;

-- Pays out of a hold, whole or part; the rest goes back to the wallet, and the hold is closed.
--
-- p_amount: NULL for the whole. p_to: a system wallet (a WITHDRAWAL) or a customer's (a TRANSFER).
-- After: outcome 'posted' and the transaction's reference; 'replayed' with the reference of then (or reason);
--        'key_reused'; or 'refused' with reason: unknown_hold, hold_closed (captured, released or expired already),
--        exceeds_hold, or a reason of core.post_transactions. A refused capture leaves the hold as it was.
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
    v_type text;
    v_fee  record;
    v_legs integer;
    v_post record;
BEGIN
    PERFORM core.lock_wallets(
        ARRAY[(SELECT b.wallet_id FROM core.holds b WHERE b.id = p_hold_id)::text, p_to, 'FEES']
    );
    outcome := core.find_request(p_key, p_digest);
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
        WHEN p_to = 'SUSPENSE' THEN 'unknown_wallet'
    END;
    IF reason IS NOT NULL THEN
        outcome := 'refused';
        PERFORM core.refuse_request(p_key, p_digest, reason);
        RETURN;
    END IF;

    SELECT * INTO w FROM core.wallets WHERE id = h.wallet_id;
    v_type := CASE WHEN (SELECT kind FROM core.wallets WHERE id = p_to) = 'CUSTOMER' THEN 'TRANSFER' ELSE 'WITHDRAWAL' END;
    SELECT f.fee, CASE f.payer WHEN 'SENDER' THEN h.wallet_id ELSE p_to END AS wallet
      INTO v_fee FROM core.fee_of(v_type, w.currency, p_amount) AS f;
    v_legs := CASE WHEN v_fee.fee IS NULL THEN 1 ELSE 2 END;

    -- The money must be free to move for the door to move it; nobody else can take it, the wallet is locked.
    PERFORM set_config('daftari.door', 'open', true);
    UPDATE core.wallets SET held = held - h.amount WHERE id = h.wallet_id;
    PERFORM set_config('daftari.door', '', true);
    SELECT * INTO v_post FROM core.post_transactions(
        (ARRAY[p_reference, p_reference || '-F'])[1:v_legs],
        (ARRAY[v_type, 'FEE'])[1:v_legs],
        (ARRAY[h.wallet_id::text, v_fee.wallet::text])[1:v_legs],
        (ARRAY[p_to, 'FEES'])[1:v_legs],
        (ARRAY[NULL, NULL]::text[])[1:v_legs],
        (ARRAY[p_amount, v_fee.fee])[1:v_legs],
        (ARRAY[w.currency::text, w.currency::text])[1:v_legs],
        (ARRAY[p_key, NULL])[1:v_legs],
        (ARRAY[p_digest, NULL])[1:v_legs],
        (ARRAY[NULL, NULL]::uuid[])[1:v_legs],
        (ARRAY[1, 1])[1:v_legs],
        (ARRAY[p_narrative, NULL])[1:v_legs]
    );
    PERFORM set_config('daftari.door', 'open', true);
    IF v_post.outcomes[1] = 'created' THEN
        outcome := 'posted';
        reference := p_reference;
        UPDATE core.holds SET status = 'CAPTURED', captured = p_amount, closed_at = v_now WHERE id = h.id;
    ELSE
        outcome := CASE v_post.outcomes[1] WHEN 'refused' THEN 'refused' ELSE 'collision' END;
        reason := v_post.reasons[1];
        UPDATE core.wallets SET held = held + h.amount WHERE id = h.wallet_id;
    END IF;
    PERFORM set_config('daftari.door', '', true);
END
$$;

-- Gives a hold's money back to its wallet. p_status is why: RELEASED, or EXPIRED for one whose time is over.
--
-- After: outcome 'posted'; 'replayed' when it was closed in this way already; or 'refused' with reason unknown_hold,
--        hold_closed (in another way), not_expired.
CREATE OR REPLACE FUNCTION core.release_hold(p_hold_id uuid, p_status text, OUT outcome text, OUT reason text)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_now constant timestamp := clock_timestamp() AT TIME ZONE 'UTC';
    h core.holds;
BEGIN
    PERFORM core.lock_wallets(ARRAY[(SELECT b.wallet_id FROM core.holds b WHERE b.id = p_hold_id)]);
    SELECT * INTO h FROM core.holds WHERE id = p_hold_id;
    IF h.status = p_status THEN
        outcome := 'replayed';
        RETURN;
    END IF;
    reason := CASE
        WHEN h.id IS NULL THEN 'unknown_hold'
        WHEN h.status <> 'ACTIVE' THEN 'hold_closed'
        WHEN p_status = 'EXPIRED' AND (h.expires_at IS NULL OR h.expires_at > v_now) THEN 'not_expired'
    END;
    outcome := CASE WHEN reason IS NULL THEN 'posted' ELSE 'refused' END;
    IF reason IS NULL THEN
        PERFORM set_config('daftari.door', 'open', true);
        UPDATE core.wallets SET held = held - h.amount, updated_at = v_now WHERE id = h.wallet_id;
        UPDATE core.holds SET status = p_status, closed_at = v_now WHERE id = h.id;
        PERFORM set_config('daftari.door', '', true);
    END IF;
END
$$;

-- Moves a payment from suspense to the wallet that it was meant for, once.
--
-- After: outcome 'posted' and the reference; 'replayed' when it is in that wallet already; or 'refused' with reason:
--        unknown_transaction, not_in_suspense, already_reversed, already_assigned (to another wallet), or a reason of
--        core.post_transactions. After its assignment has been reversed a payment can be assigned again.
CREATE OR REPLACE FUNCTION core.assign_suspense(
    p_receipt text, p_wallet text, OUT outcome text, OUT reason text, OUT reference text
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t          core.transactions;
    v_assigned record;
    v_current  core.transactions;
    v_post     record;
BEGIN
    PERFORM core.lock_wallets(ARRAY[p_wallet, 'SUSPENSE']);
    SELECT * INTO t FROM core.transactions x WHERE x.reference = p_receipt AND x.type = 'DEPOSIT';
    SELECT * INTO v_assigned FROM core.current_assignment(p_receipt);
    SELECT * INTO v_current FROM core.transactions x WHERE x.reference = v_assigned.reference;
    reason := CASE
        WHEN t.id IS NULL THEN 'unknown_transaction'
        WHEN t.credit_wallet_id <> 'SUSPENSE' THEN 'not_in_suspense'
        WHEN v_current.credit_wallet_id <> p_wallet THEN 'already_assigned'
        WHEN core.remaining_of(t.id) < t.amount THEN 'already_reversed'
        WHEN NOT EXISTS (SELECT 1 FROM core.wallets w WHERE w.id = p_wallet AND w.kind = 'CUSTOMER') THEN 'unknown_wallet'
    END;
    IF reason IS NOT NULL THEN
        outcome := 'refused';
        RETURN;
    END IF;
    IF v_current.id IS NOT NULL THEN
        outcome := 'replayed';
        reference := v_current.reference;
        RETURN;
    END IF;

    reference := v_assigned.next_reference;
    SELECT * INTO v_post FROM core.post_transactions(
        ARRAY[reference], ARRAY['ASSIGNMENT'], ARRAY['SUSPENSE'], ARRAY[p_wallet], ARRAY[NULL]::text[],
        ARRAY[t.amount], ARRAY[t.currency::text], ARRAY[NULL]::text[], ARRAY[NULL]::text[], ARRAY[NULL]::uuid[]
    );
    outcome := CASE v_post.outcomes[1] WHEN 'created' THEN 'posted' WHEN 'refused' THEN 'refused' ELSE 'collision' END;
    reason := v_post.reasons[1];
END
$$;

ALTER TABLE "core"."holds" DROP COLUMN "placed_available", DROP COLUMN "closed_available";
