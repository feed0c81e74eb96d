-- Trigger function: refuses to write an invalid name of a customer. Names from before the rule stay.
CREATE OR REPLACE FUNCTION core.check_holder_name()
RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT core.is_holder_name(NEW.holder_name) THEN
        RAISE EXCEPTION 'the holder''s name is not a name'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'wallets_holder_name', TABLE = 'wallets', SCHEMA = 'core',
                  HINT = 'Letters, spaces, apostrophes, hyphens and full stops only; no links and no words of our own texts.';
    END IF;
    RETURN NEW;
END
$$;
