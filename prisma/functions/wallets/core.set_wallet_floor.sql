-- Sets the lowest balance that a customer's wallet may have and writes down who wanted it and why. Below zero it is a
-- credit line. Every customer has a floor, and it is never above what is available at the moment.
--
-- p_actor: who; NULL for the database role of the session.
--
-- After: outcome 'done' (also when it had this floor already), or 'refused' with reason: unknown_wallet, wallet_closed,
--        invalid_amount, floor_too_high.
CREATE OR REPLACE FUNCTION core.set_wallet_floor(
    p_wallet text, p_floor numeric, p_reason text, p_actor text DEFAULT NULL, OUT outcome text, OUT reason text
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c_largest constant numeric := 99999999999999999.99; -- what DECIMAL(19,2) can hold
    w         core.wallets;
BEGIN
    PERFORM core.lock_wallets(ARRAY[p_wallet]);
    SELECT * INTO w FROM core.wallets WHERE id = p_wallet AND kind = 'CUSTOMER';
    reason := CASE
        WHEN w.id IS NULL THEN 'unknown_wallet'
        WHEN w.status = 'CLOSED' THEN 'wallet_closed'
        WHEN p_floor IS NULL OR p_floor NOT BETWEEN -c_largest AND c_largest OR p_floor <> round(p_floor, 2)
            THEN 'invalid_amount'
        WHEN p_floor > w.balance - w.held THEN 'floor_too_high'
    END;
    outcome := CASE WHEN reason IS NULL THEN 'done' ELSE 'refused' END;
    IF reason IS NULL AND w.min_balance IS DISTINCT FROM p_floor THEN
        PERFORM set_config('daftari.door', 'open', true);
        UPDATE core.wallets
           SET min_balance = p_floor, updated_at = greatest(updated_at, clock_timestamp() AT TIME ZONE 'UTC')
         WHERE id = p_wallet;
        PERFORM set_config('daftari.door', '', true);
        PERFORM core.note_wallet_change(
            p_wallet => p_wallet, p_column => 'min_balance', p_from => w.min_balance::text,
            p_to => round(p_floor, 2)::text, p_reason => p_reason, p_actor => p_actor
        );
    END IF;
END
$$;
