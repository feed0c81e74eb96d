-- Ends the inquiry about a receipt, if there is one that is open.
CREATE OR REPLACE FUNCTION services.close_inquiry(p_receipt text, p_status text, p_reason text)
RETURNS void
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    UPDATE services.mpesa_inquiries q
       SET status = p_status, reason = p_reason, due_at = NULL, updated_at = clock_timestamp() AT TIME ZONE 'UTC'
     WHERE q.receipt = p_receipt AND q.status <> 'PROVED' AND q.status <> p_status;
    PERFORM set_config('daftari.door', '', true);
END
$$;
