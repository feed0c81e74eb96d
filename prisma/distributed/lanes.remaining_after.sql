-- What was left of a transaction after the reversal that was this posting of its wallet: all its reversals take from one
-- wallet, whose versions are their order.
CREATE OR REPLACE FUNCTION lanes.remaining_after(p_id uuid, p_version bigint)
RETURNS numeric
LANGUAGE plpgsql
VOLATILE
AS $$
DECLARE
    v_amount   numeric;
    v_reversed numeric;
BEGIN
    SELECT t.amount INTO v_amount FROM core.transactions t WHERE t.id = p_id;
    SELECT sum(r.amount) INTO v_reversed FROM core.transactions r WHERE r.reverses_id = p_id AND r.debit_version <= p_version;
    RETURN v_amount - v_reversed;
END
$$;
