-- core.remaining_of of a distributed database: one question for the transaction and one for its reversals, which may lie in
-- another lane.
CREATE OR REPLACE FUNCTION core.remaining_of(p_id uuid)
RETURNS numeric
LANGUAGE plpgsql
VOLATILE
AS $$
BEGIN
    RETURN (
        SELECT t.amount - coalesce((SELECT sum(r.amount) FROM lanes.reversals_of(ARRAY[p_id]) r), 0)
          FROM lanes.transactions_by_id(ARRAY[p_id]) t
    );
END
$$;
