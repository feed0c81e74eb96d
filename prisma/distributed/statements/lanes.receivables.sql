-- The movements by which something became owed, the newest first.
CREATE OR REPLACE FUNCTION lanes.receivables(p_limit integer)
RETURNS SETOF core.transactions
LANGUAGE plpgsql
VOLATILE
AS $$
BEGIN
    RETURN QUERY
    SELECT t.*
      FROM core.transactions t
     WHERE t.lane = ANY ('{0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15}'::smallint[])
       AND t.debit_wallet_id = 'RECEIVABLES' AND t.type = 'REVERSAL'
     ORDER BY t.debit_version DESC
     LIMIT p_limit;
END
$$;
