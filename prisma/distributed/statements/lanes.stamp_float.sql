-- Gives every wallet of the float one time, which is not before p_at nor before what any of them bears, and answers it.
--
-- The caller has locked them. A posting bears the clock of its node, or the time of its wallets where that is later; so whatever
-- moves the float afterwards is posted at this time or later, whichever node's clock is behind.
CREATE OR REPLACE FUNCTION lanes.stamp_float(p_at timestamp)
RETURNS timestamp
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_at   timestamp := p_at;
    v_last timestamp;
BEGIN
    FOR v_lane IN 0 .. 15 LOOP
        SELECT w.updated_at INTO v_last
          FROM core.wallets w
         WHERE w.lane = v_lane AND w.id = core.stripe_of(p_account => 'MPESA-FLOAT', p_lane => v_lane::smallint);
        v_at := greatest(v_at, v_last);
    END LOOP;
    PERFORM 1 FROM lanes.set_door('open');
    FOR v_lane IN 0 .. 15 LOOP
        UPDATE core.wallets w
           SET updated_at = v_at
         WHERE w.lane = v_lane AND w.id = core.stripe_of(p_account => 'MPESA-FLOAT', p_lane => v_lane::smallint);
    END LOOP;
    PERFORM 1 FROM lanes.set_door('');
    RETURN v_at;
END
$$;
