-- Where the money of these payments in suspense is: the assignment by which it is in a customer's wallet, NULL where it waits. For
-- readers: core.current_assignment is for who has locked the wallet of suspense.
CREATE OR REPLACE FUNCTION lanes.assignments_of(p_receipts text[])
RETURNS TABLE (receipt text, reference text)
LANGUAGE plpgsql
VOLATILE
AS $$
#variable_conflict use_column
DECLARE
    v_time    integer := 1;
    v_names   text[]; -- what the receipts are called in references
    v_wanted  text[]; -- of the assignments of this round
    v_current text[] := array_fill(NULL::text, ARRAY[cardinality(p_receipts)]);
    r         record;
BEGIN
    SELECT array_agg(CASE
               WHEN length(i.receipt) <= 45 THEN i.receipt
               ELSE upper(left(encode(sha256(convert_to(i.receipt, 'UTF8')), 'hex'), 40))
           END ORDER BY i.ord)
      INTO v_names
      FROM unnest(p_receipts) WITH ORDINALITY AS i (receipt, ord);
    -- The second assignment of a payment is not made before the first one.
    WHILE array_remove(v_names, NULL) <> '{}' LOOP
        SELECT array_agg('AS' || CASE WHEN v_time > 1 THEN v_time::text ELSE '' END || '-' || n.name ORDER BY n.ord)
          INTO v_wanted
          FROM unnest(v_names) WITH ORDINALITY AS n (name, ord);
        FOR r IN
            SELECT w.ord::integer AS ord, a.id, a.reference, a.amount - coalesce(sum(x.amount), 0) AS remaining, a.type
              FROM unnest(v_wanted) WITH ORDINALITY AS w (reference, ord)
              LEFT JOIN lanes.transactions_of(v_wanted) a ON a.reference = w.reference
              LEFT JOIN lanes.reversals_of(ARRAY(SELECT b.id FROM lanes.transactions_of(v_wanted) b)) x ON x.reverses_id = a.id
             GROUP BY w.ord, a.id, a.reference, a.amount, a.type
        LOOP
            IF r.id IS NULL THEN
                v_names[r.ord] := NULL;
            ELSIF r.type = 'ASSIGNMENT' AND r.remaining > 0 THEN
                v_current[r.ord] := r.reference;
            END IF;
        END LOOP;
        v_time := v_time + 1;
    END LOOP;
    RETURN QUERY SELECT i.receipt, i.reference FROM unnest(p_receipts, v_current) AS i (receipt, reference);
END
$$;
