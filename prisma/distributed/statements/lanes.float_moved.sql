-- What moved the float, of ids from one on: by how much, and when it was paid or posted.
--
-- The log of a payment lies in the lane of its transaction, so each lane joins its own.
CREATE OR REPLACE FUNCTION lanes.float_moved(p_first uuid)
RETURNS TABLE (id uuid, amount numeric, at timestamp)
LANGUAGE plpgsql
VOLATILE
AS $$
#variable_conflict use_column
BEGIN
    FOR v_lane IN 0 .. 15 LOOP
        RETURN QUERY
        SELECT t.id, CASE WHEN core.account_of(t.debit_wallet_id) = 'MPESA-FLOAT' THEN -t.amount ELSE t.amount END::numeric,
               coalesce(g.paid_at, t.created_at)::timestamp
          FROM core.transactions t
          LEFT JOIN services.mpesa_logs g ON g.lane = v_lane AND g.mpesa_receipt = t.reference
         WHERE t.lane = v_lane AND t.id >= p_first
           AND 'MPESA-FLOAT' IN (core.account_of(t.debit_wallet_id), core.account_of(t.credit_wallet_id));
    END LOOP;
END
$$;
