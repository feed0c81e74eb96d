-- What the wallets of one of the system's accounts have together.
CREATE OR REPLACE FUNCTION lanes.account_balance(p_account text)
RETURNS numeric
LANGUAGE plpgsql
VOLATILE
AS $$
BEGIN
    RETURN (SELECT sum(w.balance) FROM core.wallets w WHERE w.kind = 'SYSTEM' AND core.account_of(w.id) = p_account);
END
$$;
