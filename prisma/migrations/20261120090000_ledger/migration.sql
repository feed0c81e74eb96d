-- The ledger: what a wallet and a transaction must carry for balances to be exact and checkable.
--
-- Before: wallets with a balance; transactions between them, perhaps with rows.
-- After:  wallets have a kind, money held, a floor and a version that counts postings; the outside world is
--         three system wallets; each transaction says for both sides which posting of the wallet it was and the
--         balance after it. Rows that were there have been given theirs, in order of time.
-- Fails, and changes nothing, when a wallet's balance is not what its transactions add up to.

ALTER TABLE "core"."wallets"
    ADD COLUMN "kind" VARCHAR(10) NOT NULL DEFAULT 'CUSTOMER',
    ADD COLUMN "held" DECIMAL(19,2) NOT NULL DEFAULT 0,
    ADD COLUMN "min_balance" DECIMAL(19,2) DEFAULT 0,
    ADD COLUMN "version" BIGINT NOT NULL DEFAULT 0,
    -- Half of each page stays free, so that a new balance is written beside the old one (HOT update).
    SET (fillfactor = 50);

-- MPESA-FLOAT has no floor: its negative balance is what M-PESA holds for us.
INSERT INTO "core"."wallets" ("id", "holder_name", "kind", "min_balance") VALUES
    ('MPESA-FLOAT', 'M-PESA float', 'SYSTEM', NULL),
    ('SUSPENSE', 'Payments whose wallet is not known yet', 'SYSTEM', 0),
    ('FEES', 'Fees earned', 'SYSTEM', 0)
ON CONFLICT ("id") DO UPDATE SET "kind" = 'SYSTEM', "min_balance" = EXCLUDED."min_balance";

ALTER TABLE "core"."transactions"
    ADD COLUMN "debit_version" BIGINT,
    ADD COLUMN "debit_balance_after" DECIMAL(19,2),
    ADD COLUMN "credit_version" BIGINT,
    ADD COLUMN "credit_balance_after" DECIMAL(19,2),
    ADD COLUMN "idempotency_key" VARCHAR(255),
    ADD COLUMN "request_digest" VARCHAR(64),
    ADD COLUMN "reverses_id" UUID,
    ADD COLUMN "xact_id" BIGINT;

WITH "legs" AS (
    SELECT "id", "created_at", "debit_wallet_id" AS "wallet_id", -"amount" AS "change", true AS "is_debit"
      FROM "core"."transactions"
    UNION ALL
    SELECT "id", "created_at", "credit_wallet_id", "amount", false
      FROM "core"."transactions"
), "running" AS (
    SELECT "id", "is_debit",
           row_number() OVER "w" AS "version",
           sum("change") OVER "w" AS "balance_after"
      FROM "legs"
    WINDOW "w" AS (PARTITION BY "wallet_id" ORDER BY "created_at", "id" ROWS UNBOUNDED PRECEDING)
)
UPDATE "core"."transactions" "t"
   SET "debit_version" = "d"."version",
       "debit_balance_after" = "d"."balance_after",
       "credit_version" = "c"."version",
       "credit_balance_after" = "c"."balance_after",
       "xact_id" = pg_current_xact_id()::text::bigint
  FROM "running" "d", "running" "c"
 WHERE "d"."id" = "t"."id" AND "d"."is_debit" AND "c"."id" = "t"."id" AND NOT "c"."is_debit";

UPDATE "core"."wallets" "w"
   SET "version" = "s"."postings"
  FROM (
    SELECT "wallet_id", count(*) AS "postings"
      FROM (
        SELECT "debit_wallet_id" AS "wallet_id" FROM "core"."transactions"
        UNION ALL
        SELECT "credit_wallet_id" FROM "core"."transactions"
      ) "legs"
     GROUP BY "wallet_id"
  ) "s"
 WHERE "s"."wallet_id" = "w"."id";

DO $$
DECLARE
    v_count integer;
    v_first text;
BEGIN
    SELECT count(*), min(w.id) INTO v_count, v_first
      FROM core.wallets w
     WHERE w.balance <> coalesce((SELECT sum(t.amount) FROM core.transactions t WHERE t.credit_wallet_id = w.id), 0)
                      - coalesce((SELECT sum(t.amount) FROM core.transactions t WHERE t.debit_wallet_id = w.id), 0);
    IF v_count > 0 THEN
        RAISE EXCEPTION '% wallet(s) have a balance that their transactions do not add up to, the first is %', v_count, v_first
            USING ERRCODE = 'DF010',
                  HINT = 'Add the missing transactions (an opening balance comes from MPESA-FLOAT) and deploy again.';
    END IF;
END
$$;

ALTER TABLE "core"."wallets"
    ADD CONSTRAINT "wallets_kind_check" CHECK ("kind" IN ('CUSTOMER', 'SYSTEM')),
    ADD CONSTRAINT "wallets_status_check" CHECK ("status" IN ('ACTIVE', 'FROZEN', 'CLOSED')),
    ADD CONSTRAINT "wallets_currency_check" CHECK ("currency" ~ '^[A-Z]{3}$'),
    ADD CONSTRAINT "wallets_phone_check" CHECK ("phone" ~ '^[0-9]{9,15}$'),
    ADD CONSTRAINT "wallets_held_check" CHECK ("held" >= 0),
    -- No overdraft, whatever the code does. A NULL floor means there is none.
    ADD CONSTRAINT "wallets_funds_check" CHECK ("balance" - "held" >= "min_balance"),
    ADD CONSTRAINT "wallets_version_check" CHECK ("version" >= 0);

ALTER TABLE "core"."transactions"
    ALTER COLUMN "debit_version" SET NOT NULL,
    ALTER COLUMN "debit_balance_after" SET NOT NULL,
    ALTER COLUMN "credit_version" SET NOT NULL,
    ALTER COLUMN "credit_balance_after" SET NOT NULL,
    ALTER COLUMN "xact_id" SET NOT NULL,
    ADD CONSTRAINT "transactions_type_check"
        CHECK ("type" IN ('DEPOSIT', 'TRANSFER', 'WITHDRAWAL', 'FEE', 'REVERSAL', 'ASSIGNMENT')),
    ADD CONSTRAINT "transactions_amount_check" CHECK ("amount" > 0),
    ADD CONSTRAINT "transactions_wallets_check" CHECK ("debit_wallet_id" <> "credit_wallet_id"),
    ADD CONSTRAINT "transactions_reverses_check" CHECK (("type" = 'REVERSAL') = ("reverses_id" IS NOT NULL)),
    ADD CONSTRAINT "transactions_request_check" CHECK (("idempotency_key" IS NULL) = ("request_digest" IS NULL)),
    ADD CONSTRAINT "transactions_reverses_id_fkey" FOREIGN KEY ("reverses_id")
        REFERENCES "core"."transactions" ("id") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- Each posting of a wallet has one place in its order; the same indexes serve its statement.
CREATE UNIQUE INDEX "transactions_debit_posting_key" ON "core"."transactions" ("debit_wallet_id", "debit_version");
CREATE UNIQUE INDEX "transactions_credit_posting_key" ON "core"."transactions" ("credit_wallet_id", "credit_version");
-- Partial: deposits have no key and should not pay for the index.
CREATE UNIQUE INDEX "transactions_idempotency_key_key" ON "core"."transactions" ("idempotency_key")
    WHERE "idempotency_key" IS NOT NULL;
CREATE INDEX "transactions_reverses_id_idx" ON "core"."transactions" ("reverses_id") WHERE "reverses_id" IS NOT NULL;
CREATE INDEX "idx_wallets_phone" ON "core"."wallets" ("phone");
