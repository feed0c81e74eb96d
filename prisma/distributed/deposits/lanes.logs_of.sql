-- The M-PESA logs of these receipts, whichever lanes they are in: the claims say which.
CREATE OR REPLACE FUNCTION lanes.logs_of(p_receipts text[])
RETURNS SETOF services.mpesa_logs
LANGUAGE plpgsql
VOLATILE
AS $$
DECLARE
    v_lanes smallint[] := lanes.lanes_of(p_receipts);
BEGIN
    IF v_lanes IS NOT NULL THEN
        RETURN QUERY
        SELECT l.* FROM services.mpesa_logs l WHERE l.lane = ANY (v_lanes) AND l.mpesa_receipt = ANY (p_receipts);
    END IF;
END
$$;
