-- Before: the back-fill.
-- After:  none; the hashes that it gave stay.

DROP FUNCTION core.backfill_hashes;
DROP TRIGGER "transactions_unchangeable" ON "core"."transactions";
DROP TRIGGER "transactions_append_only" ON "core"."transactions";
CREATE TRIGGER "transactions_append_only" BEFORE UPDATE OR DELETE OR TRUNCATE ON "core"."transactions"
    FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('Correct a mistake with a REVERSAL through core.post_transactions.');
DROP INDEX "core"."transactions_unhashed_idx";
