-- Before: what this folder's migration.sql made.
-- After:  "core" as the base migration left it; schema "services" is gone if it is empty, and stays with
--         whatever else somebody keeps in it otherwise.

DROP INDEX IF EXISTS "core"."idx_wallets_number";
ALTER TABLE "core"."transactions" DROP COLUMN IF EXISTS "verification_hash";

DROP INDEX IF EXISTS "services"."idx_sms_logs_created";
DROP INDEX IF EXISTS "services"."idx_sms_logs_recipient";
DROP TABLE IF EXISTS "services"."sms_logs";

DROP INDEX IF EXISTS "services"."idx_mpesa_logs_phone";
DROP INDEX IF EXISTS "services"."idx_mpesa_logs_receipt";
DROP TABLE IF EXISTS "services"."mpesa_logs";

DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = 'services') AND NOT EXISTS (
        SELECT 1 FROM pg_catalog.pg_class WHERE relnamespace = 'services'::regnamespace
        UNION ALL
        SELECT 1 FROM pg_catalog.pg_proc WHERE pronamespace = 'services'::regnamespace
        UNION ALL
        SELECT 1 FROM pg_catalog.pg_type WHERE typnamespace = 'services'::regnamespace
    ) THEN
        DROP SCHEMA "services" RESTRICT;
    END IF;
END
$$;
