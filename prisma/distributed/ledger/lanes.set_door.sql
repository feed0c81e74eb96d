-- Opens ('open', 'backfill') or closes ('') the door on every node that this transaction reaches, now and later.
--
-- Call it in FROM: PERFORM 1 FROM lanes.set_door('open'). Citus repeats SET LOCAL on the other nodes within a transaction that
-- has begun, and a function by itself is no transaction to it, while a query of a function is.
CREATE OR REPLACE FUNCTION lanes.set_door(p_state text)
RETURNS boolean
LANGUAGE plpgsql
VOLATILE
AS $$
BEGIN
    EXECUTE format('SET LOCAL daftari.door = %L', p_state);
    RETURN true;
END
$$;
