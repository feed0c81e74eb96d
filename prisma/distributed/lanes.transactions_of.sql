-- The transactions under these references, whichever lanes they are in. A query that joins tables of several
-- nodes joins what such functions answer.
CREATE OR REPLACE FUNCTION lanes.transactions_of(p_references text[])
RETURNS SETOF core.transactions
LANGUAGE plpgsql
VOLATILE
AS $$
BEGIN
    IF cardinality(p_references) > 0 THEN
        RETURN QUERY SELECT t.* FROM core.transactions t WHERE t.reference = ANY (p_references);
    END IF;
END
$$;
