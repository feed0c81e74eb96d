-- How many postings of a wallet came before a moment; with p_inclusive those of the moment count, too.
--
-- Time never falls while the version grows, so the last posting before the moment says it.
CREATE OR REPLACE FUNCTION lanes.version_before(p_wallet text, p_at timestamp, p_inclusive boolean)
RETURNS bigint
LANGUAGE plpgsql
VOLATILE
AS $$
DECLARE
    v_lane    constant smallint := core.lane_of(p_wallet);
    v_at      constant timestamp := CASE WHEN p_inclusive THEN p_at + interval '1 millisecond' ELSE p_at END;
    v_version bigint;
    v_last    bigint := 0;
BEGIN
    SELECT t.credit_version INTO v_version
      FROM core.transactions t
     WHERE t.lane = v_lane AND t.credit_wallet_id = p_wallet AND t.created_at < v_at
     ORDER BY t.credit_version DESC
     LIMIT 1;
    v_last := greatest(v_last, v_version);
    FOR v_other IN 0 .. 15 LOOP
        SELECT t.debit_version INTO v_version
          FROM core.transactions t
         WHERE t.lane = v_other AND t.debit_wallet_id = p_wallet AND t.created_at < v_at
         ORDER BY t.debit_version DESC
         LIMIT 1;
        v_last := greatest(v_last, v_version);
    END LOOP;
    RETURN v_last;
END
$$;
