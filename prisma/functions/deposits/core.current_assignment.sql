-- Where a suspense deposit's money is: reference is the assignment by which it is in a customer's wallet, or NULL when
-- it is still (or again) in suspense; next_reference is what its next assignment will be called. The first assignment
-- of a receipt is AS-<receipt>, later ones AS<n>-<receipt>: a receipt may end like "-2", but no number has a hyphen.
-- A receipt of more than 45 characters, which M-PESA never sent, leaves no room for that and is named by its hash.
CREATE OR REPLACE FUNCTION core.current_assignment(p_receipt text, OUT reference text, OUT next_reference text)
LANGUAGE plpgsql
VOLATILE
AS $$
DECLARE
    v_name constant text := CASE
        WHEN length(p_receipt) <= 45 THEN p_receipt
        ELSE upper(left(encode(sha256(convert_to(p_receipt, 'UTF8')), 'hex'), 40))
    END;
    v_time integer := 1;
    a      core.transactions;
BEGIN
    LOOP
        next_reference := 'AS' || CASE WHEN v_time > 1 THEN v_time::text ELSE '' END || '-' || v_name;
        SELECT * INTO a FROM core.transactions x WHERE x.reference = next_reference;
        EXIT WHEN a.id IS NULL;
        IF a.type = 'ASSIGNMENT' AND core.remaining_of(a.id) > 0 THEN
            reference := a.reference;
        END IF;
        v_time := v_time + 1;
    END LOOP;
END
$$;
