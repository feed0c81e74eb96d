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
