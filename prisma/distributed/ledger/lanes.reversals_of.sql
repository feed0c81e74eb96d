-- The reversals of these transactions, whichever lanes they are in.
CREATE OR REPLACE FUNCTION lanes.reversals_of(p_ids uuid[])
RETURNS SETOF core.transactions
LANGUAGE plpgsql
VOLATILE
AS $$
BEGIN
    IF cardinality(p_ids) > 0 THEN
        RETURN QUERY SELECT t.* FROM core.transactions t WHERE t.reverses_id = ANY (p_ids);
    END IF;
END
$$;
