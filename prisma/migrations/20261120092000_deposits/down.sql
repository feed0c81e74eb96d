-- Before: the inbox, the later columns of mpesa_logs, the functions for deposits.
-- After:  mpesa_logs with its first six columns and all its rows; the inbox is gone.

DROP FUNCTION services.record_deposits;
DROP FUNCTION services.deposit_sms;
DROP FUNCTION core.phone_of_hash;
DROP FUNCTION core.nearest_wallets;
DROP FUNCTION core.route_account;
DROP FUNCTION core.normalize_phone;
DROP FUNCTION core.has_check_digit;

DROP INDEX "core"."idx_wallets_phone_sha256";

DROP INDEX "services"."idx_mpesa_logs_unposted";

ALTER TABLE "services"."mpesa_logs"
    DROP CONSTRAINT "mpesa_logs_outcome_check",
    DROP CONSTRAINT "mpesa_logs_amount_check",
    DROP COLUMN "wallet_id",
    DROP COLUMN "suggestions",
    DROP COLUMN "reason",
    DROP COLUMN "outcome",
    DROP COLUMN "payer_name",
    DROP COLUMN "phone_hash",
    DROP COLUMN "paid_at",
    DROP COLUMN "account",
    DROP COLUMN "short_code";

DROP TABLE "services"."mpesa_callbacks";
