-- What people call the account of a wallet: MPESA-FLOAT for each stripe of the float, and so for suspense and the fees;
-- every other wallet is an account of its own.
CREATE OR REPLACE FUNCTION core.account_of(p_wallet text)
RETURNS text
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $$
    SELECT regexp_replace(p_wallet, '^(MPESA-FLOAT|SUSPENSE|FEES)\.([1-9]|1[0-5])$', '\1')
$$;
