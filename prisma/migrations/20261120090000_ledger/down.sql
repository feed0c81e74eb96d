-- Before: the ledger and its functions.
-- After:  wallets and transactions as the features migration left them, with all their rows. System wallets that
--         no money has touched are gone; the others stay, as rows like any other. Remembered requests, changes of
--         wallets and API keys are gone.
-- Derived, computed again by migration.sql: core.wallets.kind, core.wallets.version,
-- core.transactions.debit_version, core.transactions.debit_balance_after, core.transactions.credit_version,
-- core.transactions.credit_balance_after, core.transactions.xact_id

DROP TABLE services.api_keys;
DROP TABLE core.wallet_events;
DROP TABLE core.requests;

ALTER TABLE services.sms_logs ALTER COLUMN id SET DEFAULT gen_random_uuid();
ALTER TABLE services.mpesa_logs ALTER COLUMN id SET DEFAULT gen_random_uuid();
ALTER TABLE core.transactions ALTER COLUMN id SET DEFAULT gen_random_uuid();

DROP TRIGGER transactions_append_only ON core.transactions;
DROP TRIGGER transactions_unchangeable ON core.transactions;
DROP TRIGGER transactions_backfilled ON core.transactions;
DROP TRIGGER transactions_through_the_door ON core.transactions;
DROP TRIGGER wallets_open_empty ON core.wallets;
DROP TRIGGER wallets_through_the_door ON core.wallets;
DROP TRIGGER wallets_never_deleted ON core.wallets;
DROP TRIGGER wallets_never_truncated ON core.wallets;
DROP TRIGGER wallets_holder_name ON core.wallets;
DROP TRIGGER wallets_holder_rename ON core.wallets;
DROP INDEX core.wallets_name_idx;

-- ==== functions: written by db:migration, edit prisma/functions instead ====

DROP FUNCTION services.revoke_api_key;
DROP FUNCTION services.create_api_key;
DROP FUNCTION core.set_wallet_status;
DROP FUNCTION core.set_wallet_floor;
DROP FUNCTION core.remaining_of;
DROP FUNCTION core.refuse_write;
DROP FUNCTION core.refuse_request;
DROP FUNCTION core.refuse_change;
DROP FUNCTION core.post_transactions;
DROP FUNCTION core.open_wallet;
DROP FUNCTION core.new_id;
DROP FUNCTION core.uuid_v7;
DROP FUNCTION core.name_vector;
DROP FUNCTION core.name_query;
DROP FUNCTION core.name_words;
DROP FUNCTION core.known_references;
DROP FUNCTION core.known_keys;
DROP FUNCTION core.rank_names;
DROP FUNCTION core.has_check_digit;
DROP FUNCTION core.guard_wallets;
DROP FUNCTION core.guard_transactions;
DROP FUNCTION core.guard_backfill;
DROP FUNCTION core.find_request;
DROP FUNCTION core.check_holder_name;
DROP FUNCTION core.change_wallet;
DROP FUNCTION core.wallet_fault;
DROP FUNCTION core.is_holder_name;
DROP FUNCTION core.note_wallet_change;
DROP FUNCTION core.normalize_phone;
DROP FUNCTION core.lock_wallets;
DROP FUNCTION core.backfill_hashes;
DROP FUNCTION core.verification_hash;

-- ==== end of functions ====

DROP INDEX core.idx_wallets_phone;
DROP INDEX core.transactions_unhashed_idx;
DROP INDEX core.transactions_reverses_id_idx;
DROP INDEX core.transactions_credit_posting_key;
DROP INDEX core.transactions_debit_posting_key;

DELETE FROM core.wallets w
 WHERE w.kind = 'SYSTEM'
   AND NOT EXISTS (SELECT 1 FROM core.transactions t WHERE t.debit_wallet_id = w.id OR t.credit_wallet_id = w.id);

ALTER TABLE core.transactions
    DROP CONSTRAINT transactions_reverses_id_fkey,
    DROP CONSTRAINT transactions_request_check,
    DROP CONSTRAINT transactions_reverses_check,
    DROP CONSTRAINT transactions_wallets_check,
    DROP CONSTRAINT transactions_amount_check,
    DROP CONSTRAINT transactions_type_check,
    DROP COLUMN narrative,
    DROP COLUMN xact_id,
    DROP COLUMN reverses_id,
    DROP COLUMN request_digest,
    DROP COLUMN idempotency_key,
    DROP COLUMN credit_balance_after,
    DROP COLUMN credit_version,
    DROP COLUMN debit_balance_after,
    DROP COLUMN debit_version;

ALTER TABLE core.wallets
    DROP CONSTRAINT wallets_version_check,
    DROP CONSTRAINT wallets_funds_check,
    DROP CONSTRAINT wallets_held_check,
    DROP CONSTRAINT wallets_language_check,
    DROP CONSTRAINT wallets_phone_check,
    DROP CONSTRAINT wallets_currency_check,
    DROP CONSTRAINT wallets_status_check,
    DROP CONSTRAINT wallets_kind_check,
    DROP COLUMN language,
    DROP COLUMN version,
    DROP COLUMN min_balance,
    DROP COLUMN held,
    DROP COLUMN kind,
    RESET (fillfactor);
