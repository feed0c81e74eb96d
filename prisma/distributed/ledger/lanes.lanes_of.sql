-- In which lanes something was recorded under these references; NULL for none.
CREATE OR REPLACE FUNCTION lanes.lanes_of(p_references text[])
RETURNS smallint[]
LANGUAGE plpgsql
VOLATILE
AS $$
DECLARE
    v_lanes smallint[];
BEGIN
    IF cardinality(p_references) > 0 THEN
        SELECT array_agg(DISTINCT c.lane) INTO v_lanes FROM lanes.claims c WHERE c.reference = ANY (p_references);
    END IF;
    RETURN v_lanes;
END
$$;
