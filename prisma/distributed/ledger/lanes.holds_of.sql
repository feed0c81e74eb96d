-- These holds, whichever lanes they are in. All lanes are named, so that a key finds them, which begins with the lane.
CREATE OR REPLACE FUNCTION lanes.holds_of(p_ids uuid[])
RETURNS SETOF core.holds
LANGUAGE plpgsql
VOLATILE
AS $$
BEGIN
    IF cardinality(p_ids) > 0 THEN
        RETURN QUERY
        SELECT h.*
          FROM core.holds h
         WHERE h.lane = ANY ('{0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15}'::smallint[]) AND h.id = ANY (p_ids);
    END IF;
END
$$;
