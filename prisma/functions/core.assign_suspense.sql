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
