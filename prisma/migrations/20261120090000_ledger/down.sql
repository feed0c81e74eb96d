-- Before: the ledger's columns, checks and system wallets.
-- After:  wallets and transactions as the features migration left them, with all their rows. System wallets that
--         no money has touched are gone; the others stay, as rows like any other.
-- Derived, computed again by migration.sql: core.wallets.kind, core.wallets.version,
-- core.transactions.debit_version, core.transactions.debit_balance_after, core.transactions.credit_version,
-- core.transactions.credit_balance_after, core.transactions.xact_id

DROP INDEX "core"."idx_wallets_phone";
DROP INDEX "core"."transactions_reverses_id_idx";
DROP INDEX "core"."transactions_idempotency_key_key";
DROP INDEX "core"."transactions_credit_posting_key";
DROP INDEX "core"."transactions_debit_posting_key";

DELETE FROM "core"."wallets" "w"
 WHERE "w"."kind" = 'SYSTEM'
   AND NOT EXISTS (
    SELECT 1 FROM "core"."transactions" "t" WHERE "t"."debit_wallet_id" = "w"."id" OR "t"."credit_wallet_id" = "w"."id"
   );

ALTER TABLE "core"."transactions"
    DROP CONSTRAINT "transactions_reverses_id_fkey",
    DROP CONSTRAINT "transactions_request_check",
    DROP CONSTRAINT "transactions_reverses_check",
    DROP CONSTRAINT "transactions_wallets_check",
    DROP CONSTRAINT "transactions_amount_check",
    DROP CONSTRAINT "transactions_type_check",
    DROP COLUMN "xact_id",
    DROP COLUMN "reverses_id",
    DROP COLUMN "request_digest",
    DROP COLUMN "idempotency_key",
    DROP COLUMN "credit_balance_after",
    DROP COLUMN "credit_version",
    DROP COLUMN "debit_balance_after",
    DROP COLUMN "debit_version";

ALTER TABLE "core"."wallets"
    DROP CONSTRAINT "wallets_version_check",
    DROP CONSTRAINT "wallets_funds_check",
    DROP CONSTRAINT "wallets_held_check",
    DROP CONSTRAINT "wallets_phone_check",
    DROP CONSTRAINT "wallets_currency_check",
    DROP CONSTRAINT "wallets_status_check",
    DROP CONSTRAINT "wallets_kind_check",
    DROP COLUMN "version",
    DROP COLUMN "min_balance",
    DROP COLUMN "held",
    DROP COLUMN "kind",
    RESET (fillfactor);
