-- Claims references of postings that are made across lanes, once in the world. For core.post_transactions of a distributed
-- database, which has found them free.
--
-- p_ids: of the transactions that are to be written; NULL for what was not created.
--
-- An assignment's reference is made of the receipt, and the wallet of suspense that is locked for it may be on another node
-- than the assignment: what was committed there a moment ago may not be seen yet here. The claim is waited for.
CREATE OR REPLACE FUNCTION lanes.claim_new_references(p_references text[], p_lanes smallint[], p_ids uuid[])
RETURNS void
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO lanes.claims (reference, lane)
    SELECT t.reference, t.lane
      FROM unnest(p_references, p_lanes, p_ids) AS t (reference, lane, id)
     WHERE t.id IS NOT NULL
     ORDER BY t.reference COLLATE "C";
EXCEPTION
    -- Of a copy that fails on another node Citus says no more than that it failed.
    WHEN unique_violation OR internal_error THEN
        RAISE EXCEPTION 'a reference of this batch was being claimed at the same moment: %', SQLSTATE
            USING ERRCODE = '40001';
END
$$;
