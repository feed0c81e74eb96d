-- core.remaining_of of a distributed database: one question for the transaction and one for its reversals, which may lie in
-- another lane.
CREATE OR REPLACE FUNCTION core.remaining_of(p_id uuid)
RETURNS numeric
LANGUAGE plpgsql
VOLATILE
AS $$
DECLARE
    v_amount   numeric;
    v_reversed numeric;
BEGIN
    SELECT t.amount INTO v_amount FROM core.transactions t WHERE t.id = p_id;
    SELECT sum(r.amount) INTO v_reversed FROM core.transactions r WHERE r.reverses_id = p_id;
    RETURN v_amount - coalesce(v_reversed, 0);
END
$$;
