-- What was left of a transaction after the reversal that was this posting of its wallet: all its reversals take from one
-- wallet, whose versions are their order.
CREATE OR REPLACE FUNCTION lanes.remaining_after(p_id uuid, p_version bigint)
RETURNS numeric
LANGUAGE plpgsql
VOLATILE
AS $$
BEGIN
    RETURN (
        SELECT t.amount - (SELECT sum(r.amount) FROM lanes.reversals_of(ARRAY[p_id]) r WHERE r.debit_version <= p_version)
          FROM lanes.transactions_by_id(ARRAY[p_id]) t
    );
END
$$;
