-- Base schema: wallets and the transactions between them.
--
-- Before: nothing.
-- After:  core.wallets, whose number is its id, and core.transactions, one row for each movement of
--         money from one wallet to another. Such a row cannot be unbalanced.
-- Times are UTC in TIMESTAMP(3), whatever the time zone of the server or the session.

CREATE SCHEMA IF NOT EXISTS "core";

CREATE TABLE "core"."wallets" (
    "id" VARCHAR(20) NOT NULL,
    "holder_name" VARCHAR(120) NOT NULL,
    "phone" VARCHAR(20),
    "currency" CHAR(3) NOT NULL DEFAULT 'KES',
    "balance" DECIMAL(19,2) NOT NULL DEFAULT 0,
    "status" VARCHAR(20) NOT NULL DEFAULT 'ACTIVE',
    "created_at" TIMESTAMP(3) NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'),
    "updated_at" TIMESTAMP(3) NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'),

    CONSTRAINT "wallets_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "core"."transactions" (
    "id" UUID NOT NULL DEFAULT gen_random_uuid(),
    "reference" VARCHAR(50) NOT NULL,
    "type" VARCHAR(20) NOT NULL,
    "debit_wallet_id" VARCHAR(20) NOT NULL,
    "credit_wallet_id" VARCHAR(20) NOT NULL,
    "amount" DECIMAL(19,2) NOT NULL,
    "currency" CHAR(3) NOT NULL DEFAULT 'KES',
    "created_at" TIMESTAMP(3) NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'),

    CONSTRAINT "transactions_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "transactions_debit_wallet_id_fkey" FOREIGN KEY ("debit_wallet_id")
        REFERENCES "core"."wallets" ("id") ON DELETE RESTRICT ON UPDATE RESTRICT,
    CONSTRAINT "transactions_credit_wallet_id_fkey" FOREIGN KEY ("credit_wallet_id")
        REFERENCES "core"."wallets" ("id") ON DELETE RESTRICT ON UPDATE RESTRICT
);

CREATE UNIQUE INDEX "transactions_reference_key" ON "core"."transactions" ("reference");
