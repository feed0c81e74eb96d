-- They are found by number and id alone again.

DROP INDEX "services"."sms_logs_reference_idx";
DROP INDEX "core"."wallets_name_idx";
DROP FUNCTION core.name_query(text);
DROP FUNCTION core.name_vector(text);
DROP FUNCTION core.name_words(text);
