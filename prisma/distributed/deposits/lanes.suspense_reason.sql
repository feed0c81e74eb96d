-- Why a payment is in suspense: one that was held learns it when it is released, and its log row stays as it was.
CREATE OR REPLACE FUNCTION lanes.suspense_reason(p_log services.mpesa_logs)
RETURNS text
LANGUAGE plpgsql
VOLATILE
AS $$
DECLARE
    v_reason text;
BEGIN
    IF p_log.outcome IS DISTINCT FROM 'HELD' THEN
        RETURN p_log.reason;
    END IF;
    SELECT c.error INTO v_reason
      FROM services.mpesa_callbacks c
     WHERE c.receipt = p_log.mpesa_receipt AND c.outcome = 'SUSPENSE'
     LIMIT 1;
    RETURN v_reason;
END
$$;
