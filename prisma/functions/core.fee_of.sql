-- The fee of a transaction by the rules in core.fee_rules at this moment: the rule with the highest lower bound that
-- the amount reaches. No row when no rule applies or the fee comes to nothing.
CREATE OR REPLACE FUNCTION core.fee_of(p_type text, p_currency text, p_amount numeric)
RETURNS TABLE (fee numeric, payer text)
LANGUAGE sql
STABLE
AS $$
    SELECT f.fee, f.payer
      FROM (
        SELECT round(r.flat + p_amount * r.rate, 2) AS fee, r.payer::text
          FROM core.fee_rules r
         WHERE r.transaction_type = p_type AND r.currency = p_currency AND r.min_amount <= p_amount
           AND r.valid_from <= now() AT TIME ZONE 'UTC'
           AND (r.valid_until IS NULL OR r.valid_until > now() AT TIME ZONE 'UTC')
         ORDER BY r.min_amount DESC, r.valid_from DESC
         LIMIT 1
      ) f
     WHERE f.fee > 0
$$;
