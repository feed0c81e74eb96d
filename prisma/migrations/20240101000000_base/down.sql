-- Before: the base schema and nothing else in "core".
-- After:  nothing. Schema "core" goes only when it is empty.

DROP TABLE "core"."transactions";
DROP TABLE "core"."wallets";

DO $$
BEGIN
    IF NOT EXISTS (
        SELECT 1 FROM pg_catalog.pg_class WHERE relnamespace = 'core'::regnamespace
        UNION ALL
        SELECT 1 FROM pg_catalog.pg_proc WHERE pronamespace = 'core'::regnamespace
    ) THEN
        DROP SCHEMA "core" RESTRICT;
    END IF;
END
$$;
