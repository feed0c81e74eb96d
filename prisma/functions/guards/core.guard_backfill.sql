-- Trigger function: the only change to a transaction is that its missing hash is filled in, with the hash that it
-- should have. Everything else of the row stays as it was written.
CREATE OR REPLACE FUNCTION core.guard_backfill()
RETURNS trigger
LANGUAGE plpgsql
AS $$
DECLARE
    v_rest core.transactions := NEW;
BEGIN
    v_rest.verification_hash := OLD.verification_hash;
    IF OLD.verification_hash IS NOT NULL OR v_rest *<> OLD
       OR NEW.verification_hash IS DISTINCT FROM core.verification_hash(
           p_reference => OLD.reference, p_amount => OLD.amount, p_created_at => OLD.created_at
       ) THEN
        RAISE EXCEPTION 'UPDATE on core.transactions is refused: only a missing hash is filled in, with the right one'
            USING ERRCODE = 'DF001', HINT = 'Correct a mistake with a REVERSAL through core.post_transactions.';
    END IF;
    RETURN NEW;
END
$$;
