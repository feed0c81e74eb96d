-- The M-PESA logs of these receipts, whichever lanes they are in. A query that joins tables of several
-- nodes joins what such functions answer.
CREATE OR REPLACE FUNCTION lanes.logs_of(p_receipts text[])
RETURNS SETOF services.mpesa_logs
LANGUAGE plpgsql
VOLATILE
AS $$
BEGIN
    IF cardinality(p_receipts) > 0 THEN
        RETURN QUERY SELECT l.* FROM services.mpesa_logs l WHERE l.mpesa_receipt = ANY (p_receipts);
    END IF;
END
$$;
