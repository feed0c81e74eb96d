-- The postings of a wallet after one of its versions up to another, in their order, p_limit at most.
--
-- What was credited lies in the lane of the wallet; what was debited, in those of the others. One lane at a time is asked, so
-- that a key finds them in their order.
CREATE OR REPLACE FUNCTION lanes.legs_of(p_wallet text, p_after bigint, p_last bigint, p_limit integer)
RETURNS TABLE (version bigint, is_debit boolean, transaction core.transactions)
LANGUAGE plpgsql
VOLATILE
AS $$
#variable_conflict use_column
DECLARE
    v_lane constant smallint := core.lane_of(p_wallet);
BEGIN
    RETURN QUERY
    SELECT t.credit_version, false, t
      FROM core.transactions t
     WHERE t.lane = v_lane AND t.credit_wallet_id = p_wallet AND t.credit_version > p_after AND t.credit_version <= p_last
     ORDER BY t.credit_version
     LIMIT p_limit;
    FOR v_other IN 0 .. 15 LOOP
        RETURN QUERY
        SELECT t.debit_version, true, t
          FROM core.transactions t
         WHERE t.lane = v_other AND t.debit_wallet_id = p_wallet AND t.debit_version > p_after AND t.debit_version <= p_last
         ORDER BY t.debit_version
         LIMIT p_limit;
    END LOOP;
END
$$;
