-- These holds, whichever lanes they are in. A query that joins tables of several
-- nodes joins what such functions answer.
CREATE OR REPLACE FUNCTION lanes.holds_of(p_ids uuid[])
RETURNS SETOF core.holds
LANGUAGE plpgsql
VOLATILE
AS $$
BEGIN
    IF cardinality(p_ids) > 0 THEN
        RETURN QUERY SELECT h.* FROM core.holds h WHERE h.id = ANY (p_ids);
    END IF;
END
$$;
