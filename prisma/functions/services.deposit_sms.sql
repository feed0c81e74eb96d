-- The text that tells a customer of a deposit. Plain ASCII without brackets, so that it stays in the GSM-7
-- alphabet and in one part of 160 characters.
--
-- p_wallet: the customer's wallet, or NULL when the money waits in suspense.
CREATE OR REPLACE FUNCTION services.deposit_sms(p_receipt text, p_amount numeric, p_wallet text, p_balance numeric)
RETURNS text
LANGUAGE sql
IMMUTABLE
AS $$
    SELECT p_receipt || ' confirmed. KES ' || to_char(p_amount, 'FM99,999,999,999,999,990.00')
           || CASE
                  WHEN p_wallet IS NULL THEN
                      ' received and safe, but not in a wallet yet. Contact us with this code.'
                  ELSE
                      ' received in wallet ' || p_wallet || '. New balance KES '
                      || to_char(p_balance, 'FM99,999,999,999,999,990.00') || '.'
              END
$$;
