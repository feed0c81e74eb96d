-- Trigger function: this table is written by its functions only. Its first argument is the advice: by which.
--
-- The triggers call it only for a statement that does not come through the door.
CREATE OR REPLACE FUNCTION core.refuse_write()
RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    RAISE EXCEPTION '% on %.% is refused: its functions write it, and nothing else', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'DF003', HINT = TG_ARGV[0];
END
$$;
