-- These wallets, whichever lanes they are in. A query that joins tables of several
-- nodes joins what such functions answer.
CREATE OR REPLACE FUNCTION lanes.wallets_of(p_ids text[])
RETURNS SETOF core.wallets
LANGUAGE plpgsql
VOLATILE
AS $$
DECLARE
    v_lanes smallint[];
BEGIN
    SELECT array_agg(DISTINCT core.lane_of(i.id)) INTO v_lanes FROM unnest(p_ids) AS i (id) WHERE i.id IS NOT NULL;
    RETURN QUERY SELECT w.* FROM core.wallets w WHERE w.lane = ANY (v_lanes) AND w.id = ANY (p_ids);
END
$$;
