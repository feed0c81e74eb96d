-- Trigger function: a reversal and an assignment are told to the customers whose wallets they touch, and to the endpoints of apps,
-- whichever way they were posted. They are rare; deposits and transfers are told by the functions that record them, a batch at a time.
CREATE OR REPLACE FUNCTION services.tell_of_transaction()
RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NEW.type = 'REVERSAL' THEN
        PERFORM services.queue_movement_sms(
            p_templates => ARRAY['reversal_debit', 'reversal_credit'],
            p_wallets => ARRAY[NEW.debit_wallet_id, NEW.credit_wallet_id]::text[],
            p_references => ARRAY[NEW.reference, NEW.reference]::text[], p_amounts => ARRAY[NEW.amount, NEW.amount],
            p_currencies => ARRAY[NEW.currency, NEW.currency]::text[],
            p_others => ARRAY[NEW.credit_wallet_id, NEW.debit_wallet_id]::text[],
            p_balances => ARRAY[NEW.debit_balance_after, NEW.credit_balance_after]
        );
    ELSIF core.account_of(NEW.debit_wallet_id) <> 'SUSPENSE' THEN
        -- A payment that was credited to the wrong wallet. Whose that was concerns neither.
        PERFORM services.queue_movement_sms(
            p_templates => ARRAY['reversal_debit', 'deposit'],
            p_wallets => ARRAY[NEW.debit_wallet_id, NEW.credit_wallet_id]::text[],
            p_references => ARRAY[NEW.reference, NEW.reference]::text[], p_amounts => ARRAY[NEW.amount, NEW.amount],
            p_currencies => ARRAY[NEW.currency, NEW.currency]::text[], p_others => ARRAY[NULL, NULL]::text[],
            p_balances => ARRAY[NEW.debit_balance_after, NEW.credit_balance_after]
        );
    ELSIF NOT services.retell_masked(p_assignment => NEW) THEN
        PERFORM services.queue_movement_sms(
            p_templates => ARRAY['suspense_assigned'], p_wallets => ARRAY[NEW.credit_wallet_id]::text[],
            p_references => ARRAY[NEW.reference]::text[], p_amounts => ARRAY[NEW.amount],
            p_currencies => ARRAY[NEW.currency]::text[], p_others => ARRAY[NEW.debit_wallet_id]::text[],
            p_balances => ARRAY[NEW.credit_balance_after]
        );
    END IF;
    PERFORM services.queue_movement_webhook(NEW);
    RETURN NULL;
END
$$;
