-- core.current_assignment of a distributed database: the same, and nobody assigns the payment at this moment.
--
-- Who asks has locked the wallet of suspense. An assignment lies in the lane of the wallet that it went to, whose node may
-- commit a moment after the node of suspense: what it wrote may not be seen here yet. Its claim was written with it, so
-- whoever claims the same name meets it there. A claim that succeeds is given up again: nobody had it.
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
        IF next_reference IS NULL THEN
            RETURN; -- asked about no payment
        END IF;
        SELECT * INTO a FROM core.transactions x WHERE x.reference = next_reference;
        EXIT WHEN a.id IS NULL;
        IF a.type = 'ASSIGNMENT' AND core.remaining_of(a.id) > 0 THEN
            reference := a.reference;
        END IF;
        v_time := v_time + 1;
    END LOOP;
    BEGIN
        INSERT INTO lanes.claims (reference, lane) VALUES (next_reference, 0);
    EXCEPTION
        WHEN unique_violation THEN
            RAISE EXCEPTION 'the payment was being assigned at the same moment' USING ERRCODE = '40001';
    END;
    DELETE FROM lanes.claims c WHERE c.reference = next_reference;
END
$$;
