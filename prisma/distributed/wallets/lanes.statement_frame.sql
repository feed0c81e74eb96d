-- A customer's wallet in a period: its versions and balances before and after it. No row where there is no such wallet.
--
-- p_inclusive: whether what happened at the very moment p_to is in it.
CREATE OR REPLACE FUNCTION lanes.statement_frame(
    p_wallet text, p_from timestamp, p_to timestamp, p_inclusive boolean
)
RETURNS TABLE (currency text, first bigint, last bigint, opening numeric, closing numeric)
LANGUAGE plpgsql
VOLATILE
AS $$
#variable_conflict use_column
DECLARE
    v_lane constant smallint := core.lane_of(p_wallet);
BEGIN
    SELECT w.currency::text, 0, w.version
      INTO currency, first, last
      FROM core.wallets w
     WHERE w.lane = v_lane AND w.id = p_wallet AND w.kind = 'CUSTOMER';
    IF currency IS NULL THEN
        RETURN;
    END IF;
    IF p_from IS NOT NULL THEN
        first := lanes.version_before(p_wallet => p_wallet, p_at => p_from, p_inclusive => false);
    END IF;
    IF p_to IS NOT NULL THEN
        last := lanes.version_before(p_wallet => p_wallet, p_at => p_to, p_inclusive => p_inclusive);
    END IF;
    last := greatest(first, last);
    opening := coalesce(lanes.balance_after(p_wallet => p_wallet, p_version => first), 0);
    closing := coalesce(lanes.balance_after(p_wallet => p_wallet, p_version => last), 0);
    RETURN NEXT;
END
$$;
