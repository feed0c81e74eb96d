-- The SMS outbox: sms_logs becomes a queue that several senders share, with a history of delivery reports and a book of
-- what is spent.
--
-- Before: services.sms_logs holds PENDING messages that nobody sends.
-- After:  each message has a phase, an attempt under a lease, what the provider answered and what the network reported;
--         services.sms_delivery_reports keeps every report as received, services.sms_events what seldom happens to a
--         message, services.sms_spend the cost by day, services.sms_opt_outs who wants no news. Wallets have a language.
--         No table is rewritten: every new column has a constant default or none. Code that knows the specified columns
--         only goes on working; what it marks SENT or FAILED leaves the queue by a trigger.

ALTER TABLE "core"."wallets"
    ADD COLUMN "language" CHAR(2) NOT NULL DEFAULT 'en',
    ADD CONSTRAINT "wallets_language_check" CHECK ("language" IN ('en', 'sw'));

ALTER TABLE "services"."sms_logs"
    -- A payer whose number came masked or hashed has none.
    ALTER COLUMN "recipient" DROP NOT NULL,
    ADD COLUMN "transaction_reference" VARCHAR(50),
    ADD COLUMN "template" VARCHAR(40) NOT NULL DEFAULT 'message',
    ADD COLUMN "language" CHAR(2) NOT NULL DEFAULT 'en',
    -- 0: money moved. 1: can wait, and stops when the day's budget is spent.
    ADD COLUMN "priority" SMALLINT NOT NULL DEFAULT 0,
    -- SHA-256 of the number, where that is all that is known.
    ADD COLUMN "recipient_hash" VARCHAR(64),
    ADD COLUMN "phase" VARCHAR(10) NOT NULL DEFAULT 'QUEUED',
    ADD COLUMN "attempts" SMALLINT NOT NULL DEFAULT 0,
    ADD COLUMN "next_attempt_at" TIMESTAMP(3) NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'),
    -- The attempt: who makes it, through whom, since when, and until when nobody else may judge it.
    ADD COLUMN "claimed_by" VARCHAR(64),
    ADD COLUMN "claimed_at" TIMESTAMP(3),
    ADD COLUMN "lease_until" TIMESTAMP(3),
    ADD COLUMN "provider" VARCHAR(30),
    -- When the provider's answer to this attempt was recorded; it is recorded once.
    ADD COLUMN "answered_at" TIMESTAMP(3),
    ADD COLUMN "currency" CHAR(3),
    ADD COLUMN "expected_parts" SMALLINT,
    ADD COLUMN "parts" SMALLINT,
    ADD COLUMN "encoding" VARCHAR(10),
    ADD COLUMN "network" VARCHAR(20),
    ADD COLUMN "error_code" VARCHAR(40),
    ADD COLUMN "delivery_status" VARCHAR(50),
    ADD COLUMN "delivery_rank" SMALLINT,
    ADD COLUMN "delivery_reason" VARCHAR(100),
    ADD COLUMN "delivery_updated_at" TIMESTAMP(3),
    ADD COLUMN "delivered_at" TIMESTAMP(3),
    ADD COLUMN "sent_at" TIMESTAMP(3),
    ADD COLUMN "settled_at" TIMESTAMP(3),
    -- The last decision of a person on a message of unknown outcome.
    ADD COLUMN "decided_by" VARCHAR(100),
    ADD COLUMN "decided_at" TIMESTAMP(3),
    ADD COLUMN "decision_note" TEXT;

-- No release has sent anything yet: these are rows that somebody has marked by hand.
UPDATE "services"."sms_logs" SET "phase" = 'DONE', "settled_at" = "created_at" WHERE "status" <> 'PENDING';

ALTER TABLE "services"."sms_logs"
    ADD CONSTRAINT "sms_logs_phase_check" CHECK (
        CASE "phase"
            WHEN 'QUEUED' THEN "status" = 'PENDING'
            WHEN 'SENDING' THEN "status" = 'PENDING'
            WHEN 'UNKNOWN' THEN "status" = 'PENDING'
            WHEN 'DONE' THEN "status" <> 'PENDING'
            ELSE false
        END
    ),
    ADD CONSTRAINT "sms_logs_lease_check" CHECK (("phase" = 'SENDING') = ("lease_until" IS NOT NULL)),
    ADD CONSTRAINT "sms_logs_attempt_check" CHECK (
        "phase" NOT IN ('SENDING', 'UNKNOWN')
        OR "attempts" > 0 AND "provider" IS NOT NULL AND "claimed_at" IS NOT NULL
    ),
    ADD CONSTRAINT "sms_logs_priority_check" CHECK ("priority" IN (0, 1)),
    ADD CONSTRAINT "sms_logs_language_check" CHECK ("language" IN ('en', 'sw')),
    -- A queue lives at one end of a large table. By its own measure autovacuum would come after a fifth of all messages
    -- ever sent is dead; until then the claim walks over the dead entries of what was sent before.
    SET (
        autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 10000,
        autovacuum_analyze_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 1
    );

-- What can be claimed, the important first and the longest due first. Only what waits is in it.
CREATE INDEX "sms_logs_claim_idx" ON "services"."sms_logs" ("priority", "next_attempt_at") WHERE "phase" = 'QUEUED';
CREATE INDEX "sms_logs_lease_idx" ON "services"."sms_logs" ("lease_until") WHERE "phase" = 'SENDING';
CREATE INDEX "sms_logs_unknown_idx" ON "services"."sms_logs" ("claimed_at") WHERE "phase" = 'UNKNOWN';
-- Not unique: an id comes from a provider, and theirs have been seen twice.
CREATE INDEX "sms_logs_provider_message_id_idx" ON "services"."sms_logs" ("provider_message_id")
    WHERE "provider_message_id" IS NOT NULL;

CREATE TABLE "services"."sms_delivery_reports" (
    "id" UUID NOT NULL DEFAULT core.new_id(),
    "provider" VARCHAR(30) NOT NULL,
    -- What could be read of it; NULL where nothing could.
    "provider_message_id" VARCHAR(255),
    "status" VARCHAR(50),
    "reason" VARCHAR(100),
    "network_code" VARCHAR(20),
    "retry_count" INTEGER,
    "phone" VARCHAR(20),
    -- The message that it was found to be about when it came.
    "sms_id" UUID,
    "outcome" VARCHAR(20) NOT NULL,
    -- The bytes as received.
    "body" BYTEA NOT NULL,
    "received_at" TIMESTAMP(3) NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'),

    CONSTRAINT "sms_delivery_reports_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "sms_delivery_reports_outcome_check"
        CHECK ("outcome" IN ('APPLIED', 'STALE', 'PARKED', 'MISMATCHED', 'AMBIGUOUS', 'QUARANTINED'))
);

CREATE INDEX "sms_delivery_reports_message_idx" ON "services"."sms_delivery_reports" ("provider_message_id")
    WHERE "provider_message_id" IS NOT NULL;
-- Whose reports nobody has claimed yet: they are suggested for messages of unknown outcome.
CREATE INDEX "sms_delivery_reports_parked_idx" ON "services"."sms_delivery_reports" ("phone", "received_at")
    WHERE "outcome" = 'PARKED';

-- What seldom happens to a message: a retry, an unknown outcome, a person's decision, an answer after all. A message
-- that is sent and delivered leaves no row here.
CREATE TABLE "services"."sms_events" (
    "id" UUID NOT NULL DEFAULT core.new_id(),
    "sms_id" UUID NOT NULL,
    "kind" VARCHAR(20) NOT NULL,
    "attempt" SMALLINT NOT NULL,
    -- Who decided; NULL where nobody did.
    "actor" VARCHAR(100),
    "detail" TEXT,
    "created_at" TIMESTAMP(3) NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'),

    CONSTRAINT "sms_events_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "sms_events_kind_check" CHECK ("kind" IN ('RETRY', 'UNKNOWN', 'DECIDED', 'LATE_ANSWER'))
);

CREATE INDEX "sms_events_sms_id_idx" ON "services"."sms_events" ("sms_id");
-- An attempt is answered once, also when the answer comes after the next attempt has begun.
CREATE UNIQUE INDEX "sms_events_late_answer_key" ON "services"."sms_events" ("sms_id", "attempt")
    WHERE "kind" = 'LATE_ANSWER';

-- What was charged, by the day in East Africa Time on which the answer came.
CREATE TABLE "services"."sms_spend" (
    "day" DATE NOT NULL,
    -- XXX, which ISO 4217 gives to "no currency", where the provider named none.
    "currency" CHAR(3) NOT NULL,
    "messages" BIGINT NOT NULL DEFAULT 0,
    "parts" BIGINT NOT NULL DEFAULT 0,
    "cost" DECIMAL(19,4) NOT NULL DEFAULT 0,

    CONSTRAINT "sms_spend_pkey" PRIMARY KEY ("day", "currency")
)
-- One row takes all updates of a day: room for them on its page, and a vacuum that comes while the page is still one.
WITH (fillfactor = 20, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

CREATE TABLE "services"."sms_opt_outs" (
    -- Digits, as in sms_logs.recipient.
    "number" VARCHAR(20) NOT NULL,
    -- The name that messages come from; '' where the report named none.
    "sender_id" VARCHAR(20) NOT NULL DEFAULT '',
    -- SHA-256 of the number, by which a message to a hashed number is stopped as well.
    "number_hash" VARCHAR(64) NOT NULL,
    "opted_out_at" TIMESTAMP(3) NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'),

    CONSTRAINT "sms_opt_outs_pkey" PRIMARY KEY ("number", "sender_id")
);

CREATE INDEX "sms_opt_outs_number_hash_idx" ON "services"."sms_opt_outs" ("number_hash");

-- Trigger function: a message that somebody marks SENT or FAILED by its status alone leaves the queue.
--
-- The trigger calls it only for a row whose status is decided and whose phase says otherwise, so that code which knows
-- the specified columns only goes on working. The way back, from SENT to PENDING, is services.decide_sms.
CREATE OR REPLACE FUNCTION services.follow_sms_status()
RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    NEW.phase := 'DONE';
    NEW.lease_until := NULL;
    NEW.settled_at := clock_timestamp() AT TIME ZONE 'UTC';
    RETURN NEW;
END
$$;

CREATE TRIGGER "sms_logs_follow_status" BEFORE INSERT OR UPDATE ON "services"."sms_logs"
    FOR EACH ROW WHEN (NEW."status" <> 'PENDING' AND NEW."phase" <> 'DONE')
    EXECUTE FUNCTION services.follow_sms_status();

CREATE TRIGGER "sms_delivery_reports_append_only" BEFORE UPDATE OR DELETE OR TRUNCATE ON "services"."sms_delivery_reports"
    FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('It is the record of what the provider reported; use a fresh database for trials.');
CREATE TRIGGER "sms_events_append_only" BEFORE UPDATE OR DELETE OR TRUNCATE ON "services"."sms_events"
    FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('It is the record of who decided on a message, and why.');
CREATE TRIGGER "sms_spend_never_deleted" BEFORE DELETE OR TRUNCATE ON "services"."sms_spend"
    FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('It is the record of what was paid for; use a fresh database for trials.');
CREATE TRIGGER "sms_opt_outs_never_truncated" BEFORE TRUNCATE ON "services"."sms_opt_outs"
    FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('Who asked for no messages would get them again; delete single rows.');
