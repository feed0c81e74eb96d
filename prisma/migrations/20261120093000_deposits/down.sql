-- Before: the inbox, decisions, the later columns of mpesa_logs, the functions for deposits.
-- After:  mpesa_logs with its first six columns and all its rows; the inbox and what people decided are gone. The log
--         row of a payment that is held stays, as one that was never posted.

DROP TABLE services.mpesa_decisions;
DROP TABLE services.mpesa_callbacks;
DROP TRIGGER mpesa_logs_append_only ON services.mpesa_logs;
DROP TRIGGER mpesa_logs_through_the_door ON services.mpesa_logs;

-- ==== functions: written by db:migration, edit prisma/functions instead ====

DROP FUNCTION services.store_callback;
DROP FUNCTION services.resolve_callback;
DROP FUNCTION services.release_deposit;
DROP FUNCTION services.record_deposits;
DROP FUNCTION services.screen_deposits;
DROP FUNCTION services.queue_deposit_sms;
DROP FUNCTION services.compare_deposits;
DROP FUNCTION core.route_accounts;
DROP FUNCTION core.suggest_wallets;
DROP FUNCTION core.route_account;
DROP FUNCTION core.phone_of_hash;
DROP FUNCTION core.nearest_wallets;

-- ==== end of functions ====

DROP INDEX core.idx_wallets_phone_sha256;
DROP INDEX services.idx_mpesa_logs_unposted;
DROP INDEX services.idx_mpesa_logs_created;

ALTER TABLE services.mpesa_logs
    DROP CONSTRAINT mpesa_logs_outcome_check,
    DROP CONSTRAINT mpesa_logs_amount_check,
    DROP COLUMN wallet_id,
    DROP COLUMN suggestions,
    DROP COLUMN reason,
    DROP COLUMN outcome,
    DROP COLUMN payer_name,
    DROP COLUMN phone_hash,
    DROP COLUMN paid_at,
    DROP COLUMN account,
    DROP COLUMN short_code;
