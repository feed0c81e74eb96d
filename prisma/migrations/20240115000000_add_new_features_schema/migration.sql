-- Migration: Add New Features Schema
-- Date: 2024-01-15
--
-- Before: core.wallets and core.transactions.
-- After:  services.mpesa_logs (idempotency of deposits, audit trail, reconciliation), services.sms_logs
--         (cost reports, delivery monitoring, audit), core.transactions.verification_hash (receipt
--         verification, tamper detection), idx_wallets_number (fast look-up by wallet number).
-- Running it again changes nothing, and it transforms no data.

CREATE SCHEMA IF NOT EXISTS "services";

CREATE TABLE IF NOT EXISTS "services"."mpesa_logs" (
    "id" UUID NOT NULL DEFAULT gen_random_uuid(),
    "mpesa_receipt" VARCHAR(50) NOT NULL,
    "phone" VARCHAR(20),
    "amount" DECIMAL(19,2) NOT NULL,
    "raw_payload" JSONB,
    "created_at" TIMESTAMP(3) NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'),

    CONSTRAINT "mpesa_logs_pkey" PRIMARY KEY ("id")
);

-- The unique constraint on the receipt and the index on it are one index: a second one would cost every
-- deposit a write and serve nobody.
CREATE UNIQUE INDEX IF NOT EXISTS "idx_mpesa_logs_receipt" ON "services"."mpesa_logs" ("mpesa_receipt");
CREATE INDEX IF NOT EXISTS "idx_mpesa_logs_phone" ON "services"."mpesa_logs" ("phone");

CREATE TABLE IF NOT EXISTS "services"."sms_logs" (
    "id" UUID NOT NULL DEFAULT gen_random_uuid(),
    "recipient" VARCHAR(20) NOT NULL,
    "message" TEXT NOT NULL,
    "cost" DECIMAL(10,4),
    "status" VARCHAR(20) NOT NULL DEFAULT 'PENDING',
    "provider_message_id" VARCHAR(255),
    "error_message" TEXT,
    "created_at" TIMESTAMP(3) NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'),

    CONSTRAINT "sms_logs_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "sms_logs_status_check" CHECK ("status" IN ('SENT', 'FAILED', 'PENDING'))
);

CREATE INDEX IF NOT EXISTS "idx_sms_logs_recipient" ON "services"."sms_logs" ("recipient");
CREATE INDEX IF NOT EXISTS "idx_sms_logs_created" ON "services"."sms_logs" ("created_at");

-- SHA-256 over reference, amount and created_at; rows older than this migration have none.
ALTER TABLE "core"."transactions" ADD COLUMN IF NOT EXISTS "verification_hash" VARCHAR(64);

-- The wallet number is the id, which the primary key already finds. What it cannot serve, where the
-- database's collation is not C, is a search by the first digits (LIKE '123%'): this index does.
CREATE INDEX IF NOT EXISTS "idx_wallets_number" ON "core"."wallets" ("id" varchar_pattern_ops);
