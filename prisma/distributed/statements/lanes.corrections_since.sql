-- Corrections from an id on, which sort by time, up to a moment.
CREATE OR REPLACE FUNCTION lanes.corrections_since(p_first uuid, p_before timestamp)
RETURNS SETOF core.transactions
LANGUAGE plpgsql
VOLATILE
AS $$
BEGIN
    RETURN QUERY
    SELECT t.*
      FROM core.transactions t
     WHERE t.lane = ANY ('{0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15}'::smallint[])
       AND t.id >= p_first AND t.created_at < p_before AND t.reference LIKE 'CR-%';
END
$$;
