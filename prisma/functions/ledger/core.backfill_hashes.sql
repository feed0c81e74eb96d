-- Gives transactions that are older than the verification hash theirs: the p_limit oldest that have none. It is the
-- only change that a written transaction ever sees, and it fills what was empty.
--
-- After: how many were given one; 0 when none is left that can have one: a row whose time is no moment ('infinity') has
--        no hash and stays without. Call it until then; each call is a transaction of its own, so it can be stopped
--        and taken up again at any time.
CREATE OR REPLACE FUNCTION core.backfill_hashes(p_limit integer)
RETURNS integer
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_count integer;
BEGIN
    PERFORM set_config('daftari.door', 'backfill', true);
    UPDATE core.transactions t
       SET verification_hash = core.verification_hash(
           p_reference => t.reference, p_amount => t.amount, p_created_at => t.created_at
       )
     WHERE t.id IN (
        SELECT o.id
          FROM core.transactions o
         WHERE o.verification_hash IS NULL
           AND core.verification_hash(
               p_reference => o.reference, p_amount => o.amount, p_created_at => o.created_at
           ) IS NOT NULL
         ORDER BY o.id
         LIMIT p_limit
           FOR NO KEY UPDATE SKIP LOCKED
     );
    GET DIAGNOSTICS v_count = ROW_COUNT;
    PERFORM set_config('daftari.door', '', true);
    RETURN v_count;
END
$$;
