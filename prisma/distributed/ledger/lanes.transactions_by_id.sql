-- These transactions, whichever lanes they are in. All lanes are named, so that a key finds them, which begins with the lane.
CREATE OR REPLACE FUNCTION lanes.transactions_by_id(p_ids uuid[])
RETURNS SETOF core.transactions
LANGUAGE plpgsql
VOLATILE
AS $$
BEGIN
    IF cardinality(array_remove(p_ids, NULL)) > 0 THEN
        RETURN QUERY
        SELECT t.*
          FROM core.transactions t
         WHERE t.lane = ANY ('{0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15}'::smallint[]) AND t.id = ANY (p_ids);
    END IF;
END
$$;
