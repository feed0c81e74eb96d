-- Gives a hold's money back to its wallet, the reserved fee with it. p_status is why: RELEASED, or EXPIRED for one whose time is over.
--
-- After: outcome 'posted'; 'replayed' when it was closed in this way already; or 'refused' with reason unknown_hold,
--        hold_closed (in another way), not_expired. The hold keeps what was available afterwards.
CREATE OR REPLACE FUNCTION core.release_hold(p_hold_id uuid, p_status text, OUT outcome text, OUT reason text)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_now constant timestamp := clock_timestamp() AT TIME ZONE 'UTC';
    h core.holds;
    v_available numeric;
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
        UPDATE core.wallets b SET held = b.held - h.amount - coalesce(h.fee_held, 0), updated_at = greatest(b.updated_at, v_now)
         WHERE b.id = h.wallet_id
        RETURNING b.balance - b.held INTO v_available;
        UPDATE core.holds SET status = p_status, closed_at = v_now, closed_available = v_available WHERE id = h.id;
        PERFORM set_config('daftari.door', '', true);
    END IF;
END
$$;
