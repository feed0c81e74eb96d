-- Refuses a migration that comes past db:deploy: it would leave functions of one machine, which claim no receipt, on tables that
-- lie on several.
CREATE OR REPLACE FUNCTION lanes.guard_history()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
AS $$
BEGIN
    IF coalesce(current_setting('daftari.form', true), '') <> 'open' THEN
        RAISE EXCEPTION 'this database is distributed, and nothing was changed. Run db:deploy, which keeps its form.'
            USING ERRCODE = 'DF003';
    END IF;
    RETURN NEW;
END
$$;
