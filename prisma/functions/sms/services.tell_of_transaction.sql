-- Trigger function: a reversal and an assignment are told to the customers whose wallets they touch, whichever way they
-- were posted. They are rare; deposits and transfers are told by the functions that record them, a batch at a time.
CREATE OR REPLACE FUNCTION services.tell_of_transaction()
RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NEW.type = 'REVERSAL' THEN
        PERFORM services.queue_movement_sms(
            ARRAY['reversal_debit', 'reversal_credit'], ARRAY[NEW.debit_wallet_id, NEW.credit_wallet_id]::text[],
            ARRAY[NEW.reference, NEW.reference]::text[], ARRAY[NEW.amount, NEW.amount],
            ARRAY[NEW.currency, NEW.currency]::text[], ARRAY[NEW.credit_wallet_id, NEW.debit_wallet_id]::text[],
            ARRAY[NEW.debit_balance_after, NEW.credit_balance_after], ARRAY[NULL, NULL]::text[], ARRAY[0, 0]::smallint[]
        );
    ELSE
        PERFORM services.queue_movement_sms(
            ARRAY['suspense_assigned'], ARRAY[NEW.credit_wallet_id]::text[], ARRAY[NEW.reference]::text[],
            ARRAY[NEW.amount], ARRAY[NEW.currency]::text[], ARRAY[NEW.debit_wallet_id]::text[],
            ARRAY[NEW.credit_balance_after], ARRAY[NULL]::text[], ARRAY[0]::smallint[]
        );
    END IF;
    RETURN NULL;
END
$$;
