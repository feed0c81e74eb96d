-- The transactions under these references, whichever lanes they are in: the claims say which.
--
-- A query that joins tables of several nodes joins what such functions answer.
CREATE OR REPLACE FUNCTION lanes.transactions_of(p_references text[])
RETURNS SETOF core.transactions
LANGUAGE plpgsql
VOLATILE
AS $$
DECLARE
    v_lanes smallint[] := lanes.lanes_of(p_references);
BEGIN
    IF v_lanes IS NOT NULL THEN
        RETURN QUERY
        SELECT t.* FROM core.transactions t WHERE t.lane = ANY (v_lanes) AND t.reference = ANY (p_references);
    END IF;
END
$$;
