-- What is left of a transaction after its reversals.
CREATE OR REPLACE FUNCTION core.remaining_of(p_id uuid)
RETURNS numeric
LANGUAGE sql
VOLATILE
AS $$
    SELECT t.amount - coalesce((SELECT sum(r.amount) FROM core.transactions r WHERE r.reverses_id = t.id), 0)
      FROM core.transactions t
     WHERE t.id = p_id
$$;
