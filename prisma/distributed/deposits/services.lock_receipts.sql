-- services.lock_receipts of a distributed database: by their claims, one question a receipt, each to the node that has it.
CREATE OR REPLACE FUNCTION services.lock_receipts(p_receipts text[])
RETURNS void
LANGUAGE plpgsql
VOLATILE
AS $$
DECLARE
    v_receipt text;
BEGIN
    FOR v_receipt IN SELECT DISTINCT r.receipt FROM unnest(p_receipts) AS r (receipt) ORDER BY r.receipt LOOP
        PERFORM 1 FROM lanes.claims c WHERE c.reference = v_receipt FOR UPDATE;
    END LOOP;
END
$$;
