-- Claims references for lanes, once in the world: a reference that is claimed stays where it is.
--
-- After: one element a reference: the lane that has it, ours or the one that was there first.
--
-- Two transactions may claim one reference at the same moment. The primary key decides: the later one waits for the other,
-- fails with SQLSTATE 40001, and repeated it finds the reference claimed. ON CONFLICT would need no second try, but
-- INSERT ... SELECT with it takes Citus a hundred times as long.
CREATE OR REPLACE FUNCTION lanes.claim_references(p_references text[], p_lanes smallint[])
RETURNS smallint[]
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_known  text[];
    v_places smallint[];
BEGIN
    SELECT array_agg(c.reference::text), array_agg(c.lane)
      INTO v_known, v_places
      FROM lanes.claims c
     WHERE c.reference = ANY (p_references);
    -- The first of a batch has it. In one order for everybody.
    BEGIN
        INSERT INTO lanes.claims (reference, lane)
        SELECT DISTINCT ON (t.reference COLLATE "C") t.reference, t.lane
          FROM unnest(p_references, p_lanes) WITH ORDINALITY AS t (reference, lane, ord)
         WHERE length(t.reference) <= 50 AND (t.reference = ANY (v_known)) IS NOT TRUE
         ORDER BY t.reference COLLATE "C", t.ord;
    EXCEPTION
        -- Of a copy that fails on another node Citus says no more than that it failed.
        WHEN unique_violation OR internal_error THEN
            RAISE EXCEPTION 'a reference of this batch was being claimed at the same moment, or cannot be: %', SQLSTATE
                USING ERRCODE = '40001';
    END;
    RETURN (
        SELECT array_agg(coalesce(k.lane, t.first) ORDER BY t.ord)
          FROM (
            SELECT i.ord, i.reference, first_value(i.lane) OVER (PARTITION BY i.reference ORDER BY i.ord) AS first
              FROM unnest(p_references, p_lanes) WITH ORDINALITY AS i (reference, lane, ord)
          ) AS t
          LEFT JOIN unnest(v_known, v_places) AS k (reference, lane) ON k.reference = t.reference
    );
END
$$;
