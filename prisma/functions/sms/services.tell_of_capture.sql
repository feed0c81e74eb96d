-- Trigger function: what is paid out of a hold is told to the customers whose wallets it touches, whichever way it was
-- captured. Its fee is posted by then, so what the wallets have now is what is left in them.
CREATE OR REPLACE FUNCTION services.tell_of_capture()
RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t core.transactions;
BEGIN
    SELECT * INTO t FROM core.transactions x WHERE x.reference = NEW.capture_reference;
    PERFORM services.queue_movement_sms(
        p_templates => ARRAY[CASE t.type WHEN 'WITHDRAWAL' THEN 'withdrawal' ELSE 'transfer_out' END, 'transfer_in'],
        p_wallets => ARRAY[t.debit_wallet_id, t.credit_wallet_id]::text[],
        p_references => ARRAY[t.reference, t.reference]::text[], p_amounts => ARRAY[t.amount, t.amount],
        p_currencies => ARRAY[t.currency, t.currency]::text[],
        p_others => ARRAY[t.credit_wallet_id, t.debit_wallet_id]::text[],
        p_balances => ARRAY[
            (SELECT w.balance FROM core.wallets w WHERE w.id = t.debit_wallet_id),
            (SELECT w.balance FROM core.wallets w WHERE w.id = t.credit_wallet_id)
        ]
    );
    RETURN NULL;
END
$$;
