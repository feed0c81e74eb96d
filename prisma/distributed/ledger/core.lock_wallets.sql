-- core.lock_wallets of a distributed database: lane by lane, each asked of the node that has it, in the one order of that
-- form: lanes by number, in each the customers by number and then the system's.
CREATE OR REPLACE FUNCTION core.lock_wallets(p_ids text[])
RETURNS void
LANGUAGE plpgsql
VOLATILE
AS $$
DECLARE
    v_lane smallint;
    v_ids  text[];
BEGIN
    FOR v_lane, v_ids IN
        SELECT t.lane, array_agg(t.id)
          FROM (SELECT DISTINCT w.id, core.lane_of(w.id) AS lane FROM unnest(p_ids) AS w (id) WHERE w.id IS NOT NULL) t
         GROUP BY t.lane
         ORDER BY t.lane
    LOOP
        PERFORM 1
           FROM core.wallets w
          WHERE w.lane = v_lane AND w.id = ANY (v_ids)
          ORDER BY w.kind = 'SYSTEM', w.id COLLATE "C"
            FOR NO KEY UPDATE;
    END LOOP;
END
$$;
