-- The reference of the assignment by which a suspense deposit's money is in a customer's wallet, or NULL when it is
-- still (or again) in suspense. The first assignment of a receipt is AS-<receipt>, later ones AS-<receipt>-<n>.
CREATE OR REPLACE FUNCTION core.current_assignment(p_receipt text)
RETURNS text
LANGUAGE sql
VOLATILE
AS $$
    SELECT a.reference
      FROM core.transactions a
     WHERE a.reference = ANY (
            ARRAY['AS-' || p_receipt]
            || (SELECT array_agg('AS-' || p_receipt || '-' || i) FROM generate_series(2, 20) AS i)
        )
       AND core.remaining_of(a.id) > 0
     LIMIT 1
$$;
