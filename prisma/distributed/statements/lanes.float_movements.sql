-- What moved the float and is no deposit, of ids from one on and, where it is not NULL, before another.
--
-- p_without: a pattern of references that are left out.
CREATE OR REPLACE FUNCTION lanes.float_movements(p_first uuid, p_end uuid, p_without text)
RETURNS SETOF core.transactions
LANGUAGE plpgsql
VOLATILE
AS $$
BEGIN
    RETURN QUERY
    SELECT t.*
      FROM core.transactions t
     WHERE t.lane = ANY ('{0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15}'::smallint[])
       AND t.id >= p_first AND (p_end IS NULL OR t.id < p_end)
       AND t.type <> 'DEPOSIT' AND t.reference !~ p_without
       AND 'MPESA-FLOAT' IN (core.account_of(t.debit_wallet_id), core.account_of(t.credit_wallet_id));
END
$$;
