-- The back-fill of verification hashes.
--
-- Before: transactions older than the hash column have none, and being append-only can be given none.
-- After:  core.backfill_hashes gives it to them. Nothing else may update a transaction, as before.

-- The back-fill finds what is left at once; in a database without old rows the index is empty.
CREATE INDEX "transactions_unhashed_idx" ON "core"."transactions" ("id") WHERE "verification_hash" IS NULL;

DROP TRIGGER "transactions_append_only" ON "core"."transactions";
CREATE TRIGGER "transactions_append_only" BEFORE DELETE OR TRUNCATE ON "core"."transactions"
    FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('Correct a mistake with a REVERSAL through core.post_transactions.');
CREATE TRIGGER "transactions_unchangeable" BEFORE UPDATE ON "core"."transactions"
    FOR EACH STATEMENT WHEN (current_setting('daftari.door', true) IS DISTINCT FROM 'backfill')
    EXECUTE FUNCTION core.refuse_change('Correct a mistake with a REVERSAL through core.post_transactions.');

-- Gives transactions that are older than the verification hash theirs: the p_limit oldest that have none. It is the
-- only change that a written transaction ever sees, and it fills what was empty.
--
-- After: how many were given one; 0 when none is left. Call it until then; each call is a transaction of its own, so
--        it can be stopped and taken up again at any time.
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
       SET verification_hash = core.verification_hash(t.reference, t.amount, t.created_at)
     WHERE t.id IN (
        SELECT o.id
          FROM core.transactions o
         WHERE o.verification_hash IS NULL
         ORDER BY o.id
         LIMIT p_limit
           FOR NO KEY UPDATE SKIP LOCKED
     );
    GET DIAGNOSTICS v_count = ROW_COUNT;
    PERFORM set_config('daftari.door', '', true);
    RETURN v_count;
END
$$;
