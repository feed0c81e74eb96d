-- The wallet that a payment out of a wallet of this lane goes to: of a system account, or any of its stripes, the stripe
-- of the lane; every other wallet is what was named.
CREATE OR REPLACE FUNCTION core.wallet_in_lane(p_wallet text, p_lane smallint)
RETURNS text
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $$
    SELECT CASE
        WHEN core.account_of(p_wallet) IN ('MPESA-FLOAT', 'SUSPENSE', 'FEES')
            THEN core.stripe_of(p_account => core.account_of(p_wallet), p_lane => p_lane)
        ELSE p_wallet
    END
$$;
