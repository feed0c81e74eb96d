-- Writes down what changed of a wallet, who wanted it and why. p_actor: NULL for the database role of the session.
--
-- Before: the wallet is locked.
-- After:  the event is later than every other of its wallet, as the change is: a transaction that began first and waited
--         for the lock changes the wallet last. A clock that was set back does not turn them round.
CREATE OR REPLACE FUNCTION core.note_wallet_change(
    p_wallet text, p_column text, p_from text, p_to text, p_reason text, p_actor text
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_last timestamp := (SELECT max(e.created_at) FROM core.wallet_events e WHERE e.wallet_id = p_wallet);
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    INSERT INTO core.wallet_events (wallet_id, lane, changed, old_value, new_value, actor, reason, created_at)
    VALUES (
        p_wallet, core.lane_of(p_wallet), p_column, p_from, p_to, coalesce(p_actor, session_user), p_reason,
        greatest(clock_timestamp() AT TIME ZONE 'UTC', v_last + interval '1 millisecond')
    );
    PERFORM set_config('daftari.door', '', true);
END
$$;
