-- What the ledger has under these references, of which there may be many: no more of each transaction than comparing needs.
CREATE OR REPLACE FUNCTION lanes.entries_of(p_references text[])
RETURNS TABLE (id uuid, reference text, type text, amount numeric, created_at timestamp)
LANGUAGE plpgsql
VOLATILE
AS $$
#variable_conflict use_column
DECLARE
    v_lane  smallint;
    v_names text[];
BEGIN
    FOR v_lane, v_names IN SELECT p.lane, p.names FROM lanes.places_of(p_references) p LOOP
        RETURN QUERY
        SELECT t.id, t.reference::text, t.type::text, t.amount::numeric, t.created_at::timestamp
          FROM core.transactions t
         WHERE t.lane = v_lane AND t.reference = ANY (v_names);
    END LOOP;
END
$$;
