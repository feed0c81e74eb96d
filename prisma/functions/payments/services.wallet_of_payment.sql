-- The wallet for which a customer's phone was asked to pay with this reference, or NULL. M-PESA echoes the reference of our
-- own request as the account of a C2B confirmation, which may come before the callback of the request.
--
-- A reference alone is no proof: anybody can type it. The payer's number must be told, and agree with the number that was
-- asked, within a day; and all that agree must be for one wallet.
CREATE OR REPLACE FUNCTION services.wallet_of_payment(p_account text, p_phone text, p_phone_hash text)
RETURNS text
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT min(p.wallet_id)
      FROM services.mpesa_payments p
     WHERE p.reference = p_account
       AND coalesce(p_phone, p_phone_hash) IS NOT NULL
       AND p.created_at > (clock_timestamp() AT TIME ZONE 'UTC') - interval '1 day'
       AND services.may_be_phone(p_phone => p.phone, p_told => p_phone, p_hash => p_phone_hash)
    HAVING count(DISTINCT p.wallet_id) = 1
$$;
