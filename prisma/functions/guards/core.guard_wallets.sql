-- Trigger function: every column of a wallet decides over money or identity, so all of them change through functions.
--
-- The triggers call it only for what does not come through the door, for a wallet that is to open with money in it, and
-- for DELETE.
CREATE OR REPLACE FUNCTION core.guard_wallets()
RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'a wallet is never deleted'
            USING ERRCODE = 'DF004',
                  HINT = 'Close it with core.set_wallet_status, or closeWallet in @repo/db; its number stays taken and its past readable.';
    ELSIF TG_OP = 'INSERT' THEN
        RAISE EXCEPTION 'INSERT into core.wallets is refused: a wallet opens through its function, with nothing in it'
            USING ERRCODE = 'DF003', HINT = 'Call core.open_wallet, or openWallet in @repo/db.';
    END IF;
    RAISE EXCEPTION 'UPDATE on core.wallets is refused: a wallet changes through its functions, which write down who and why'
        USING ERRCODE = 'DF003',
              HINT = 'Holder, phone and language: core.change_wallet or updateWallet in @repo/db. Status: core.set_wallet_status or freezeWallet and its like. Floor: core.set_wallet_floor or setWalletFloor. Money: core.post_transactions or recordDeposit and its like.';
END
$$;
