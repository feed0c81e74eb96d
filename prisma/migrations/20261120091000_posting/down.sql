-- Before: the functions of this migration.
-- After:  none of them; ids are random again. No row is touched.

ALTER TABLE "services"."sms_logs" ALTER COLUMN "id" SET DEFAULT gen_random_uuid();
ALTER TABLE "services"."mpesa_logs" ALTER COLUMN "id" SET DEFAULT gen_random_uuid();
ALTER TABLE "core"."transactions" ALTER COLUMN "id" SET DEFAULT gen_random_uuid();

DROP FUNCTION core.post_transactions;
DROP FUNCTION core.verification_hash;
DROP FUNCTION core.new_id;
DROP FUNCTION core.uuid_v7;
