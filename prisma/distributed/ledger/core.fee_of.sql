-- core.fee_of of a distributed database: the same question in PL/pgSQL, because a query of an SQL function with a parameter
-- cannot be planned for many nodes.
CREATE OR REPLACE FUNCTION core.fee_of(p_type text, p_currency text, p_amount numeric, p_at timestamp)
RETURNS TABLE (fee numeric, payer text, rule_id uuid)
LANGUAGE plpgsql
STABLE
AS $$
BEGIN
    RETURN QUERY
    SELECT f.fee, f.payer, f.id
      FROM (
        SELECT round(r.flat + p_amount * r.rate, 2) AS fee, r.payer::text, r.id
          FROM core.fee_rules r
         WHERE r.transaction_type = p_type AND r.currency = p_currency AND r.min_amount <= p_amount
           AND r.valid_from <= p_at AND (r.valid_until IS NULL OR r.valid_until > p_at)
         ORDER BY r.min_amount DESC, r.valid_from DESC, r.id DESC
         LIMIT 1
      ) f
     WHERE f.fee > 0;
END
$$;
