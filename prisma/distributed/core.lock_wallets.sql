-- core.lock_wallets of a distributed database: one question a wallet, each to the node that has its lane, in the one order of
-- that form: by lane, in each the customers by number and then the system's.
CREATE OR REPLACE FUNCTION core.lock_wallets(p_ids text[])
RETURNS void
LANGUAGE plpgsql
VOLATILE
AS $$
DECLARE
    v_id   text;
    v_lane smallint;
BEGIN
    FOR v_id, v_lane IN
        SELECT t.id, t.lane
          FROM (SELECT DISTINCT w.id, core.lane_of(w.id) AS lane FROM unnest(p_ids) AS w (id) WHERE w.id IS NOT NULL) t
         ORDER BY t.lane, core.account_of(t.id) IN ('MPESA-FLOAT', 'SUSPENSE', 'FEES'), t.id COLLATE "C"
    LOOP
        PERFORM 1 FROM core.wallets w WHERE w.lane = v_lane AND w.id = v_id FOR NO KEY UPDATE;
    END LOOP;
END
$$;
