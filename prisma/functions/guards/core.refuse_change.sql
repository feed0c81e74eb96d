-- Trigger function: what is written in this table stays as it was written.
-- Its first argument is the advice: what to do instead.
CREATE OR REPLACE FUNCTION core.refuse_change()
RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    RAISE EXCEPTION '% on %.% is refused: the table is append-only', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'DF001', HINT = TG_ARGV[0];
END
$$;
