-- The fee that a hold reserves beside its amount: the greatest that a capture of any part of it could cost the holder by
-- the rules in force at p_at (UTC), whether it becomes a TRANSFER or a WITHDRAWAL; 0 for none.
--
-- Within a bracket the fee grows with the amount, so it is greatest at the bracket's upper end or at the whole amount.
-- A lower bracket may be dearer than a higher one: all of them count. Fees that the receiver pays do not count.
CREATE OR REPLACE FUNCTION core.fee_to_hold(p_currency text, p_amount numeric, p_at timestamp)
RETURNS numeric
LANGUAGE plpgsql
STABLE
AS $$
BEGIN
    RETURN (
        SELECT coalesce(max(round(b.flat + b.top * b.rate, 2)), 0)
          FROM (
            SELECT r.flat, r.rate, r.payer,
                   least(
                       p_amount,
                       lead(r.min_amount) OVER (PARTITION BY r.transaction_type ORDER BY r.min_amount) - 0.01
                   ) AS top
              FROM (
                SELECT DISTINCT ON (f.transaction_type, f.min_amount)
                       f.transaction_type, f.min_amount, f.flat, f.rate, f.payer
                  FROM core.fee_rules f
                 WHERE f.currency = p_currency AND f.min_amount <= p_amount
                   AND f.valid_from <= p_at AND (f.valid_until IS NULL OR f.valid_until > p_at)
                 ORDER BY f.transaction_type, f.min_amount, f.valid_from DESC, f.id DESC
              ) r
          ) b
         WHERE b.payer = 'SENDER' AND b.top > 0
    );
END
$$;
