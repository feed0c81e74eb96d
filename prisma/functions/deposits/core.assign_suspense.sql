-- Moves a payment from suspense to the wallet that it was meant for, once.
--
-- p_key, p_digest: as for core.reverse_transaction, or NULL for both. After its assignment has been reversed a payment
--        can be assigned again, and a late repeat of the first request must not do so: with a key it is told what was
--        answered then.
-- After: outcome 'posted' and the reference; 'replayed' when it is in that wallet already, or the key was used for this
--        very request before (reason is set if it was refused then); 'key_reused'; or 'refused' with reason:
--        unknown_transaction, not_in_suspense, already_reversed, already_assigned (to another wallet), or a reason of
--        core.post_transactions.
CREATE OR REPLACE FUNCTION core.assign_suspense(
    p_receipt text, p_wallet text, p_key text DEFAULT NULL, p_digest text DEFAULT NULL,
    OUT outcome text, OUT reason text, OUT reference text
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
    -- What is written stays as it was written, so the stripe that has the money is known before the lock.
    SELECT * INTO t FROM core.transactions x WHERE x.reference = p_receipt AND x.type = 'DEPOSIT';
    PERFORM core.lock_wallets(ARRAY[p_wallet, t.credit_wallet_id]);
    outcome := core.find_request(p_key => p_key, p_digest => p_digest);
    IF outcome = 'replayed' THEN
        SELECT q.reason, q.reference INTO reason, reference
          FROM core.requests q WHERE q.idempotency_key = p_key;
    END IF;
    IF outcome IS NOT NULL THEN
        RETURN;
    END IF;

    SELECT * INTO v_assigned FROM core.current_assignment(p_receipt);
    SELECT * INTO v_current FROM core.transactions x WHERE x.reference = v_assigned.reference;
    reason := CASE
        WHEN t.id IS NULL THEN 'unknown_transaction'
        WHEN core.account_of(t.credit_wallet_id) <> 'SUSPENSE' THEN 'not_in_suspense'
        WHEN v_current.credit_wallet_id <> p_wallet THEN 'already_assigned'
        WHEN core.remaining_of(t.id) < t.amount THEN 'already_reversed'
        WHEN NOT EXISTS (SELECT 1 FROM core.wallets w WHERE w.id = p_wallet AND w.kind = 'CUSTOMER') THEN 'unknown_wallet'
    END;
    IF reason IS NOT NULL THEN
        outcome := 'refused';
        IF p_key IS NOT NULL THEN
            PERFORM core.refuse_request(p_key => p_key, p_digest => p_digest, p_reason => reason);
        END IF;
        RETURN;
    END IF;
    IF v_current.id IS NOT NULL THEN
        outcome := 'replayed';
        reference := v_current.reference;
        IF p_key IS NOT NULL THEN
            PERFORM set_config('daftari.door', 'open', true);
            INSERT INTO core.requests (idempotency_key, digest, outcome, reference)
            VALUES (p_key, p_digest, 'POSTED', v_current.reference);
            PERFORM set_config('daftari.door', '', true);
        END IF;
        RETURN;
    END IF;

    reference := v_assigned.next_reference;
    SELECT * INTO v_post FROM core.post_transactions(
        p_references => ARRAY[reference], p_types => ARRAY['ASSIGNMENT'], p_debits => ARRAY[t.credit_wallet_id]::text[],
        p_credits => ARRAY[p_wallet], p_fallbacks => NULL, p_amounts => ARRAY[t.amount],
        p_currencies => ARRAY[t.currency::text], p_keys => ARRAY[p_key], p_digests => ARRAY[p_digest]
    );
    -- Its key may have been spent on other wallets than ours since it was looked for.
    outcome := CASE
        WHEN v_post.outcomes[1] = 'created' THEN 'posted'
        WHEN v_post.outcomes[1] IN ('refused', 'key_reused') THEN v_post.outcomes[1]
        ELSE 'collision'
    END;
    reason := v_post.reasons[1];
END
$$;
