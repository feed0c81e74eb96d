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
