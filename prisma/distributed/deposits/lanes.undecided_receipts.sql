-- Which of these receipts have a message in the inbox that contradicts what is recorded, or proved nothing, and about which
-- nobody has decided. The inbox lies on the workers and the decisions on the coordinator, so each is asked by itself.
CREATE OR REPLACE FUNCTION lanes.undecided_receipts(p_receipts text[])
RETURNS text[]
LANGUAGE plpgsql
VOLATILE
AS $$
DECLARE
    v_ids      uuid[];
    v_receipts text[];
    v_decided  uuid[];
BEGIN
    IF cardinality(p_receipts) = 0 THEN
        RETURN '{}';
    END IF;
    SELECT array_agg(c.id), array_agg(c.receipt::text)
      INTO v_ids, v_receipts
      FROM services.mpesa_callbacks c
     WHERE c.receipt = ANY (p_receipts) AND c.outcome IN ('CONFLICT', 'QUARANTINED');
    v_decided := ARRAY(SELECT d.callback_id FROM services.mpesa_decisions d WHERE d.callback_id = ANY (v_ids));
    RETURN ARRAY(
        SELECT DISTINCT c.receipt FROM unnest(v_ids, v_receipts) AS c (id, receipt) WHERE c.id <> ALL (v_decided)
    );
END
$$;
