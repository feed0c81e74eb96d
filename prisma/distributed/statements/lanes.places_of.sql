-- Where something was recorded under these references: one row a lane, with those that it has. For sets of many, of which each
-- lane is asked for its own.
CREATE OR REPLACE FUNCTION lanes.places_of(p_references text[])
RETURNS TABLE (lane smallint, names text[])
LANGUAGE plpgsql
VOLATILE
AS $$
#variable_conflict use_column
BEGIN
    IF cardinality(p_references) > 0 THEN
        RETURN QUERY
        SELECT c.lane, array_agg(c.reference::text) FROM lanes.claims c WHERE c.reference = ANY (p_references) GROUP BY c.lane;
    END IF;
END
$$;
