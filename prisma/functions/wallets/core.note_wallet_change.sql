-- Writes down what changed of a wallet, who wanted it and why. p_actor: NULL for the database role of the session.
CREATE OR REPLACE FUNCTION core.note_wallet_change(
    p_wallet text, p_column text, p_from text, p_to text, p_reason text, p_actor text
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    INSERT INTO core.wallet_events (wallet_id, lane, changed, old_value, new_value, actor, reason)
    VALUES (p_wallet, core.lane_of(p_wallet), p_column, p_from, p_to, coalesce(p_actor, session_user), p_reason);
    PERFORM set_config('daftari.door', '', true);
END
$$;
