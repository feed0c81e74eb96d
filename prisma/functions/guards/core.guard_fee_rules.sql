-- Trigger function: what is charged changes through functions that keep who wanted it and why, or not at all.
CREATE OR REPLACE FUNCTION core.guard_fee_rules()
RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    RAISE EXCEPTION '% on %.% is refused: nobody could tell who changed what is charged, and why',
        TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'DF003',
              HINT = 'Call core.set_fee_rule or core.end_fee_rule, or setFeeRule and endFeeRule in @repo/db.';
END
$$;
