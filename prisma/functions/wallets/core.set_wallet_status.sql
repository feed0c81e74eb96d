-- Freezes, thaws or closes a customer's wallet and writes down who wanted it and why. A system wallet has no status to
-- be changed: with a frozen float every deposit would be refused.
--
-- p_actor: who; NULL for the database role of the session.
--
-- After: outcome 'done' (also when it had this status already), or 'refused' with reason: unknown_wallet,
--        wallet_closed (a closed wallet stays closed), wallet_not_empty (only an empty wallet without holds closes).
CREATE OR REPLACE FUNCTION core.set_wallet_status(
    p_wallet text, p_status text, p_reason text, p_actor text DEFAULT NULL, OUT outcome text, OUT reason text
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    w core.wallets;
BEGIN
    PERFORM core.lock_wallets(ARRAY[p_wallet]);
    SELECT * INTO w FROM core.wallets WHERE id = p_wallet AND kind = 'CUSTOMER';
    reason := CASE
        WHEN w.id IS NULL THEN 'unknown_wallet'
        WHEN w.status = 'CLOSED' AND p_status <> 'CLOSED' THEN 'wallet_closed'
        WHEN p_status = 'CLOSED' AND (w.balance <> 0 OR w.held <> 0) THEN 'wallet_not_empty'
    END;
    outcome := CASE WHEN reason IS NULL THEN 'done' ELSE 'refused' END;
    IF reason IS NULL AND w.status <> p_status THEN
        PERFORM set_config('daftari.door', 'open', true);
        UPDATE core.wallets
           SET status = p_status, updated_at = greatest(updated_at, clock_timestamp() AT TIME ZONE 'UTC')
         WHERE id = p_wallet;
        PERFORM set_config('daftari.door', '', true);
        PERFORM core.note_wallet_change(
            p_wallet => p_wallet, p_column => 'status', p_from => w.status, p_to => p_status, p_reason => p_reason,
            p_actor => p_actor
        );
    END IF;
END
$$;
