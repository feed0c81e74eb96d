-- Guards: what goes around the door for money is refused by the database itself, also from Prisma Studio.
--
-- Before: the functions are there, and so is the way around them.
-- After:  transactions, the inbox and the log of payments are append-only, TRUNCATE included; a balance cannot be
--         edited; a wallet or an SMS cannot be deleted. Each refusal says what to use instead.

-- Trigger function: what is written in this table stays as it was written.
-- Its first argument is the advice: what to do instead.
CREATE OR REPLACE FUNCTION core.refuse_change()
RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    RAISE EXCEPTION '% on %.% is refused: the table is append-only', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'DF001', HINT = TG_ARGV[0];
END
$$;

-- Trigger function: a transaction is written by core.post_transactions, together with the balances, or not at all.
CREATE OR REPLACE FUNCTION core.guard_transactions()
RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    IF current_setting('daftari.door', true) IS DISTINCT FROM 'open' THEN
        RAISE EXCEPTION 'INSERT into core.transactions is refused: it would leave the balances behind'
            USING ERRCODE = 'DF002',
                  HINT = 'Call core.post_transactions, or recordDeposit and its like in @repo/db, which call it.';
    END IF;
    RETURN NULL;
END
$$;

-- Trigger function: what a wallet's money is, and what its postings refer to, changes through
-- core.post_transactions only. Name, phone, status and floor are ordinary columns.
--
-- The triggers call it only for a change that is guarded and that does not come through the door.
CREATE OR REPLACE FUNCTION core.guard_wallets()
RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'a wallet is never deleted'
            USING ERRCODE = 'DF004', HINT = 'Set its status to CLOSED; its number stays taken and its past readable.';
    END IF;
    RAISE EXCEPTION '% of a wallet''s number, kind, currency, balance, held or version is refused', TG_OP
        USING ERRCODE = 'DF003',
              HINT = 'A wallet opens with nothing in it, and money moves with core.post_transactions, or with recordDeposit and its like in @repo/db, which call it.';
END
$$;

CREATE TRIGGER "transactions_append_only" BEFORE UPDATE OR DELETE OR TRUNCATE ON "core"."transactions"
    FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('Correct a mistake with a REVERSAL through core.post_transactions.');
CREATE TRIGGER "transactions_through_the_door" BEFORE INSERT ON "core"."transactions"
    FOR EACH STATEMENT EXECUTE FUNCTION core.guard_transactions();

CREATE TRIGGER "wallets_open_empty" BEFORE INSERT ON "core"."wallets"
    FOR EACH ROW WHEN (NEW."balance" <> 0 OR NEW."held" <> 0 OR NEW."version" <> 0)
    EXECUTE FUNCTION core.guard_wallets();
CREATE TRIGGER "wallets_through_the_door" BEFORE UPDATE ON "core"."wallets"
    FOR EACH ROW WHEN (
        current_setting('daftari.door', true) IS DISTINCT FROM 'open'
        AND (OLD."balance", OLD."held", OLD."version", OLD."id", OLD."kind", OLD."currency")
            IS DISTINCT FROM (NEW."balance", NEW."held", NEW."version", NEW."id", NEW."kind", NEW."currency")
    )
    EXECUTE FUNCTION core.guard_wallets();
CREATE TRIGGER "wallets_never_deleted" BEFORE DELETE ON "core"."wallets"
    FOR EACH ROW EXECUTE FUNCTION core.guard_wallets();
CREATE TRIGGER "wallets_never_truncated" BEFORE TRUNCATE ON "core"."wallets"
    FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('Close wallets by their status; use a fresh database for trials.');

CREATE TRIGGER "mpesa_logs_append_only" BEFORE UPDATE OR DELETE OR TRUNCATE ON "services"."mpesa_logs"
    FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('It is the record of what M-PESA reported; use a fresh database for trials.');
CREATE TRIGGER "mpesa_callbacks_append_only" BEFORE UPDATE OR DELETE OR TRUNCATE ON "services"."mpesa_callbacks"
    FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('It is the record of what reached us; use a fresh database for trials.');
CREATE TRIGGER "sms_logs_never_deleted" BEFORE DELETE OR TRUNCATE ON "services"."sms_logs"
    FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('It is the record of what was sent and paid for; use a fresh database for trials.');
